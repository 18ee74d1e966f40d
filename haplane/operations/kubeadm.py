"""kubeadm's own phases, the same ones on every master."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.domain.files import WantedFile
from haplane.facts.paths import ExistingPaths
from haplane.operations.cluster import KUBECTL
from haplane.operations.waiting import WAIT_FOR

ONCE_ONLY_PHASES = "upload-config,upload-certs,mark-control-plane,bootstrap-token,addon,show-join-command"
KUBELET_CONFIG = "/etc/kubernetes/kubelet.conf"


RESTART = f"""
set -eu{WAIT_FOR}
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
aside=/etc/kubernetes/haplane/kube-apiserver.yaml
if [ -e "$manifest" ]; then rm -f "$aside"; elif [ -e "$aside" ]; then mv -f "$aside" "$manifest"; fi
running() {{ pgrep -x kube-apiserver || true; }}
another() {{ [ "$(running)" != "$before" ]; }}
forgotten() {{ ! ls -d /var/lib/kubelet/pods/*/containers/kube-apiserver; }}
before=$(running)
kubeadm init phase control-plane all --config "$1"
shift
for component in "$@"; do pkill -TERM -x "$(printf %.15s "$component")" || true; done
if [ -n "$before" ] && [ "$(running)" = "$before" ]; then
    mv -f "$manifest" "$aside"
    (wait_for 120 "the API server ends" another) || {{ mv -f "$aside" "$manifest"; exit 1; }}
    (wait_for 10 "the kubelet is done with its pod" forgotten) 2>/dev/null || true
    sleep 1
    mv -f "$aside" "$manifest"
fi
"""
"""The arguments after the configuration are components that begin anew as well: the kubelet starts them again.

A static pod that comes while the kubelet is not done with the one before it is not looked at again for 10 to 15 s
(backOffPeriod in pkg/kubelet/kubelet.go, with jitter). Its directory goes first, the pod worker within a second.
"""

RESTART_LEADERS = f"""
set -eu
for component in kube-controller-manager kube-scheduler; do
    leader=$({KUBECTL} -n kube-system get lease "$component" -o jsonpath='{{.spec.holderIdentity}}') || continue
    case $leader in "$(hostname)"_*) pkill -TERM -x "$(printf %.15s "$component")" || true ;; esac
done
"""
"""One whose API server was away for less than the 10 s it has to renew its lease goes on leading, and sees nodes only
once its watches are back. Their back-off doubles with each restart within 2 minutes, up to 60 s (client-go's
reflector): by the third it took nodes for gone that were well.
"""

RENEW = """
set -eu
config=$1
shift
for name in "$@"; do
    case $name in
    *.conf)
        rm -f "/etc/kubernetes/$name"
        kubeadm init phase kubeconfig "${name%.conf}" --config "$config"
        ;;
    *)
        rm -f "/etc/kubernetes/pki/$name.crt" "/etc/kubernetes/pki/$name.key"
        kubeadm init phase certs "$name" --config "$config"
        ;;
    esac
done
"""
"""Not `kubeadm certs renew`: it needs the old one to be readable, and copies the names in it."""

CONFIGURE_KUBELET = f"""
set -eu{WAIT_FOR}
kubeadm upgrade node phase kubelet-config
systemctl restart kubelet.service
wait_for 60 "the kubelet is healthy" python3 -c '
import urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open("http://127.0.0.1:10248/healthz", timeout=2)'
"""

ASIDE = """
set -eu
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
aside=/etc/kubernetes/haplane/kube-apiserver.yaml
test ! -e "$manifest" || mv -f "$manifest" "$aside"
while pgrep -x kube-apiserver >/dev/null; do sleep 0.2; done
"""
BACK = """
set -eu
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
aside=/etc/kubernetes/haplane/kube-apiserver.yaml
test ! -e "$aside" || mv -f "$aside" "$manifest"
systemctl restart kubelet.service
"""
"""A kubelet that has seen the API server fail for a while waits for minutes before it tries again."""

STOP = """
set -eu
mkdir -p /etc/kubernetes/haplane/stopped
for manifest in /etc/kubernetes/manifests/*.yaml; do
    test ! -e "$manifest" || mv -f "$manifest" /etc/kubernetes/haplane/stopped/
done
while pgrep -x kube-apiserver >/dev/null; do sleep 0.2; done
"""
JOIN = """
set -eu
trap 'rm -f "$1"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "${1%/*}"
(umask 077 && cat > "$1")
rm -f /etc/kubernetes/pki/ca.crt /etc/kubernetes/bootstrap-kubelet.conf
systemctl stop kubelet.service || true
systemctl enable --quiet kubelet.service
kubeadm join --config "$1"
"""
"""The configuration with its token exists only as long as this command, however it or another host's ends."""

WAIT = f"""{WAIT_FOR}
wait_for 110 "the API server on this host is ready" python3 -c '
import ssl, sys, urllib.request
address = f"https://127.0.0.1:{{sys.argv[1]}}/readyz"
proxy, tls = urllib.request.ProxyHandler({{}}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
try:
    urllib.request.build_opener(proxy, tls).open(address, timeout=2)
except OSError as error:
    sys.exit(str(error))
' "$1"
"""


@cache
def _note() -> str:
    return (Path(__file__).parent / "on_host" / "note.py").read_text(encoding="utf-8")


@operation()
def run_phases(config: str, evidence: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Run preflight, certs, kubeconfig, control-plane, kubelet-start, wait-control-plane and kubelet-finalize.

    What exists once in a cluster is skipped: it is applied through the API afterwards. A master that an interrupted
    run left half way skips kubeadm's preflight, which takes its own files for a stranger's.

    + config: kubeadm's configuration on the host
    + evidence: the files a master that has been through them has
    """
    present = host.get_fact(ExistingPaths, paths=list(evidence))
    if set(present) == set(evidence):
        host.noop("kubeadm's phases have run")
        return
    skipped = ONCE_ONLY_PHASES + (",preflight" if present else "")
    yield StringCommand("systemctl", "enable", "--quiet", "kubelet.service")
    yield StringCommand("kubeadm", "init", "--config", QuoteString(config), f"--skip-phases={skipped}")


@operation()
def restart_control_plane(config: str, components: Sequence[str] = ()) -> Generator[StringCommand, None, None]:
    """Write the static pods' manifests again, and restart the API server even where its manifest stays the same.

    + config: kubeadm's configuration on the host
    + components: further processes of the control plane that have to start anew
    """
    words = [QuoteString(word) for word in (config, *components)]
    yield StringCommand("sh", "-c", QuoteString(RESTART), "sh", *words)


@operation()
def restart_leaders() -> Generator[StringCommand, None, None]:
    """Restart the controller manager and the scheduler where they lead: another takes over when the lease is over."""
    yield StringCommand("sh", "-c", QuoteString(RESTART_LEADERS))


@operation()
def renew_certificates(config: str, names: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Have kubeadm make certificates and kubeconfigs anew. Who reads them has to be restarted.

    + config: kubeadm's configuration on the host
    + names: kubeadm's names for them, as in `kubeadm certs check-expiration`
    """
    words = [QuoteString(word) for word in (config, *names)]
    yield StringCommand("sh", "-c", QuoteString(RENEW), "sh", *words)


@operation()
def configure_kubelet() -> Generator[StringCommand, None, None]:
    """Write the kubelet's configuration again from the one that the cluster keeps, and restart the kubelet."""
    yield StringCommand("sh", "-c", QuoteString(CONFIGURE_KUBELET))


@operation()
def note_made(paths: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Keep the digests of files that kubeadm has just made, so that an edit is noticed.

    + paths: the files
    """
    yield StringCommand("python3", "-c", QuoteString(_note()), *(QuoteString(path) for path in paths))


@operation()
def put_apiserver_aside() -> Generator[StringCommand, None, None]:
    """Stop the API server as a restart does: it tells its clients to go elsewhere and ends."""
    yield StringCommand("sh", "-c", QuoteString(ASIDE))


@operation()
def bring_apiserver_back() -> Generator[StringCommand, None, None]:
    """Start the API server that was put aside."""
    yield StringCommand("sh", "-c", QuoteString(BACK))


@operation()
def stop_control_plane() -> Generator[StringCommand, None, None]:
    """Stop all static pods for good, and wait until the API server has ended."""
    yield StringCommand("sh", "-c", QuoteString(STOP))


@operation()
def wait_for_apiserver(port: int) -> Generator[StringCommand, None, None]:
    """Wait until the API server on this host is ready.

    + port: its port
    """
    yield StringCommand("sh", "-c", QuoteString(WAIT), "sh", QuoteString(str(port)))


@operation()
def join(config: WantedFile) -> Generator[StringCommand, None, None]:
    """Join the cluster as a worker, with what an interrupted attempt left behind out of the way.

    + config: kubeadm's JoinConfiguration, a secret
    """
    if KUBELET_CONFIG in host.get_fact(ExistingPaths, paths=[KUBELET_CONFIG]):
        host.noop("the worker has joined")
        return
    yield StringCommand("sh", "-c", QuoteString(JOIN), "sh", QuoteString(config.path), _stdin=config.content.decode())


@operation()
def absent(path: str) -> Generator[StringCommand, None, None]:
    """Remove a file.

    + path: the file
    """
    if path not in host.get_fact(ExistingPaths, paths=[path]):
        host.noop(f"{path} is not there")
        return
    yield StringCommand("rm", "-f", QuoteString(path))
