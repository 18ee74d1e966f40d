"""kubeadm's own phases, the same ones on every master."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.domain.files import WantedFile
from haplane.domain.plan import KUBELET_CONFIG as KUBELET_SETTINGS
from haplane.domain.plan import MANIFESTS
from haplane.facts.paths import ExistingPaths
from haplane.operations.cluster import KUBECTL
from haplane.operations.waiting import WAIT_FOR

ONCE_ONLY_PHASES = "upload-config,upload-certs,mark-control-plane,bootstrap-token,addon,show-join-command"
KUBELET_CONFIG = "/etc/kubernetes/kubelet.conf"

NOTE_MANIFESTS = f'python3 -c "$note" {" ".join(MANIFESTS)}'
NOTE_KUBELET = f'python3 -c "$note" {KUBELET_SETTINGS}'
"""What kubeadm made is noted by the command that has it made: between two commands a run can end, and the next would
take its work for an edit. The program, on_host/note.py, is the first argument of each script.
"""

INIT = f"""
set -eu
note=$1
kubeadm init --config "$2" --skip-phases="$3"
{NOTE_MANIFESTS} {KUBELET_SETTINGS}
"""

RESTART = f"""
set -eu{WAIT_FOR}
note=$1 config=$2
shift 2
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
aside=/etc/kubernetes/haplane/kube-apiserver.yaml
if [ -e "$manifest" ]; then rm -f "$aside"; elif [ -e "$aside" ]; then mv -f "$aside" "$manifest"; fi
running() {{ pgrep -x kube-apiserver || true; }}
another() {{ [ "$(running)" != "$before" ]; }}
forgotten() {{ ! ls -d /var/lib/kubelet/pods/*/containers/kube-apiserver; }}
before=$(running)
kubeadm init phase control-plane all --config "$config"
{NOTE_MANIFESTS}
for component in "$@"; do pkill -TERM -x "$(printf %.15s "$component")" || true; done
if [ -n "$before" ] && [ "$(running)" = "$before" ]; then
    mv -f "$manifest" "$aside"
    (wait_for 120 "the API server ends" another) || {{ mv -f "$aside" "$manifest"; exit 1; }}
    (wait_for 10 "the kubelet is done with its pod" forgotten) 2>/dev/null || true
    sleep 1
    mv -f "$aside" "$manifest"
fi
"""
"""The arguments after note and configuration are components that begin anew as well: the kubelet starts them again.

A static pod that comes while the kubelet is not done with the one before it is not looked at again for 10 to 15 s
(backOffPeriod in pkg/kubelet/kubelet.go, with jitter). Its directory goes first, the pod worker within a second.
"""

RESTART_LEADERS = f"""
set -eu{WAIT_FOR}
gone() {{ for process in $processes; do if kill -0 "$process" 2>/dev/null; then return 1; fi; done; }}
for component in kube-controller-manager kube-scheduler; do
    leader=$({KUBECTL} -n kube-system get lease "$component" -o jsonpath='{{.spec.holderIdentity}}') || continue
    case $leader in "$(hostname)"_*) ;; *) continue ;; esac
    processes=$(pgrep -x "$(printf %.15s "$component")" || true)
    for process in $processes; do kill -TERM "$process" || true; done
    (wait_for 10 "the $component that leads ends" gone) || continue
    test='{{"op": "test", "path": "/spec/holderIdentity", "value": "'$leader'"}}'
    free='{{"op": "replace", "path": "/spec/holderIdentity", "value": ""}}'
    {KUBECTL} -n kube-system patch lease "$component" --type=json --patch="[$test, $free]" || true
done
"""
"""One whose API server was away for less than the 10 s it has to renew its lease goes on leading, and sees nodes only
once its watches are back. Their back-off doubles with each restart within 2 minutes, up to 60 s (client-go's
reflector): by the third it took nodes for gone that were well.

The controller manager of 1.35 keeps its lease when it ends, and nobody would lead for 15 s. Once it has ended, its
lease is given back as client-go's ReleaseOnCancel does; another that has it meanwhile fails the test.
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
note=$1
kubeadm upgrade node phase kubelet-config
{NOTE_KUBELET}
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
JOIN = f"""
set -eu
note=$1
shift
trap 'rm -f "$1"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "${{1%/*}}"
(umask 077 && cat > "$1")
rm -f /etc/kubernetes/pki/ca.crt /etc/kubernetes/bootstrap-kubelet.conf
systemctl stop kubelet.service || true
systemctl enable --quiet kubelet.service
kubeadm join --config "$1"
{NOTE_KUBELET}
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


def _noting(script: str, *words: str) -> StringCommand:
    return StringCommand("sh", "-c", QuoteString(script), "sh", *(QuoteString(word) for word in (_note(), *words)))


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
    yield _noting(INIT, config, skipped)


@operation()
def restart_control_plane(config: str, components: Sequence[str] = ()) -> Generator[StringCommand, None, None]:
    """Write the static pods' manifests again, and restart the API server even where its manifest stays the same.

    + config: kubeadm's configuration on the host
    + components: further processes of the control plane that have to start anew
    """
    yield _noting(RESTART, config, *components)


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
    yield _noting(CONFIGURE_KUBELET)


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
    command = _noting(JOIN, config.path)
    yield StringCommand(command, _stdin=config.content.decode())


@operation()
def absent(path: str) -> Generator[StringCommand, None, None]:
    """Remove a file.

    + path: the file
    """
    if path not in host.get_fact(ExistingPaths, paths=[path]):
        host.noop(f"{path} is not there")
        return
    yield StringCommand("rm", "-f", QuoteString(path))
