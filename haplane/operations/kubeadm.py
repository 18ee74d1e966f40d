"""kubeadm's own phases, the same ones on every master."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.domain.files import WantedFile
from haplane.facts.paths import ExistingPaths

ONCE_ONLY_PHASES = "upload-config,upload-certs,mark-control-plane,bootstrap-token,addon,show-join-command"
KUBELET_CONFIG = "/etc/kubernetes/kubelet.conf"

RESTART = """
set -eu
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
aside=/etc/kubernetes/haplane/kube-apiserver.yaml
if [ -e "$manifest" ]; then rm -f "$aside"; elif [ -e "$aside" ]; then mv -f "$aside" "$manifest"; fi
running() { pgrep -x kube-apiserver || true; }
before=$(running)
kubeadm init phase control-plane all --config "$1"
if [ -n "$before" ] && [ "$(running)" = "$before" ]; then
    mv -f "$manifest" "$aside"
    while [ "$(running)" = "$before" ]; do sleep 0.2; done
    mv -f "$aside" "$manifest"
fi
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

WAIT = """
until python3 -c '
import ssl, sys, urllib.request
context = ssl._create_unverified_context()
sys.exit(urllib.request.urlopen(f"https://127.0.0.1:{sys.argv[1]}/readyz", timeout=2, context=context).status != 200)
' "$1" 2>/dev/null; do sleep 0.3; done
"""


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
def restart_control_plane(config: str) -> Generator[StringCommand, None, None]:
    """Write the static pods' manifests again, and restart the API server even where its manifest stays the same.

    + config: kubeadm's configuration on the host
    """
    yield StringCommand("sh", "-c", QuoteString(RESTART), "sh", QuoteString(config))


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
