"""kubeadm's own phases, the same ones on every master."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.domain import host_paths
from haplane.domain.files import WantedFile
from haplane.facts.paths import ExistingPaths
from haplane.operations.run import shell

PATIENCE_SECONDS = "60"
"""With an API server that kubeadm gave up: an emulated machine, short of CPU, did not answer within 20 s."""
ONCE_ONLY_PHASES = "upload-config,upload-certs,mark-control-plane,bootstrap-token,addon,show-join-command"


@operation()
def run_phases(evidence: Sequence[str], port: int) -> Generator[StringCommand, None, None]:
    """Run preflight, certs, kubeconfig, control-plane, kubelet-start, wait-control-plane and kubelet-finalize.

    What exists once in a cluster is skipped: it is applied through the API afterwards. A master that an interrupted
    run left half way skips kubeadm's preflight, which takes kubeadm's own files for another cluster's.

    + evidence: the files a master that has been through them has
    + port: the API server's on the host
    """
    present = host.get_fact(ExistingPaths, paths=list(evidence))
    if set(present) == set(evidence):
        host.noop("kubeadm's phases have run")
        return
    skipped = ONCE_ONLY_PHASES + (",preflight" if present else "")
    yield StringCommand("systemctl", "enable", "--quiet", "kubelet.service")
    yield shell(
        "initialise_master",
        skipped=skipped,
        patience=PATIENCE_SECONDS,
        port=str(port),
    )


@operation()
def renew_certificates(names: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Have kubeadm make certificates and kubeconfigs anew. Who reads them has to be restarted.

    + names: kubeadm's names for them, as in `kubeadm certs check-expiration`
    """
    yield shell("renew_certificates", names)


@operation()
def write_manifests() -> Generator[StringCommand, None, None]:
    """Write the static pods' manifests again where nothing of the control plane runs."""
    yield shell("write_manifests")


@operation()
def replace_kubelet_client(pair: bytes, timestamp: str, server: str) -> Generator[StringCommand, None, None]:
    """Give the kubelet a client certificate in place of one that it cannot renew any more, and its API server.

    + pair: the certificate and its key, PEM
    + timestamp: names the file, in the kubelet's form
    + server: what kubelet.conf is to name
    """
    yield shell("replace_kubelet_client", stdin=pair.decode(), timestamp=timestamp, server=server)


@operation()
def serve_with_new_certificate() -> Generator[StringCommand, None, None]:
    """Wait until the kubelet serves with the certificate that lies on the disk; restart it if it does not."""
    yield shell("serve_new_certificate")


@operation()
def write_kubelet_config() -> Generator[StringCommand, None, None]:
    """Write the kubelet's configuration again from the one that the cluster keeps."""
    yield shell("write_kubelet_config")


@operation()
def restart_kubelet() -> Generator[StringCommand, None, None]:
    """Restart the kubelet, and wait until it is healthy and serves its certificate."""
    yield shell("restart_kubelet")


@operation()
def join(config: WantedFile) -> Generator[StringCommand, None, None]:
    """Join the cluster as a worker, with what an interrupted attempt left behind out of the way.

    + config: kubeadm's JoinConfiguration, a secret
    """
    if host_paths.KUBELET_KUBECONFIG in host.get_fact(ExistingPaths, paths=[host_paths.KUBELET_KUBECONFIG]):
        host.noop("the worker has joined")
        return
    yield shell("join_worker", stdin=config.content.decode(), config=config.path)


@operation()
def absent(path: str) -> Generator[StringCommand, None, None]:
    """Remove a file.

    + path: the file
    """
    if path not in host.get_fact(ExistingPaths, paths=[path]):
        host.noop(f"{path} is missing")
        return
    yield StringCommand("rm", "-f", QuoteString(path))
