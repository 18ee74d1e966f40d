"""pyinfra deploys of a restore: the same steps on every host they are given."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from haplane.deploys.single import single
from haplane.domain import host_paths
from haplane.domain.files import WantedFile
from haplane.operations import control_plane, files, kubeadm, restore, timeouts

QUORUM_SECONDS = 280
"""For members that start together from new data, after the slowest of them."""

CONTROLLER_SECONDS = 200
"""For a scheduler and a controller manager: the kubelet starts one that fails again after 10, 20, 40 and 80 s."""

APISERVER_SECONDS = 220
"""For an API server to become ready from data that nobody has read yet."""

stop_serving = single(restore.stop_serving, "Stop API servers", timeouts.PROCESS_END)
switch_data = single(restore.switch_data, "Switch etcd's data", timeouts.MANY_FILES)
resume_serving = single(restore.resume_serving, "Start API servers", timeouts.LOCAL)
restart_kubelets = single(restore.restart_kubelet, "Restart the kubelet", timeouts.LOCAL, name="restart_kubelets")


@deploy("Write the restore's journal")
def write_journal(journal: WantedFile, staging: str) -> None:
    """On every host that it changes: an interrupted one is completed from it, an abandoned one is removed."""
    restore.tidy(keep=staging, name="Remove what an abandoned restore left", _timeout=timeouts.MANY_FILES)
    files.place(files=[journal], name="Write the restore's journal", _timeout=timeouts.LOCAL)


@deploy("Write the encryption keys")
def write_encryption(encryption: WantedFile) -> None:
    """What API servers read Secrets with once they start again."""
    files.place(files=[encryption], name="Write the encryption keys", _timeout=timeouts.LOCAL)


@deploy("Rebuild etcd's data")
def rebuild_data(staging: str, *, bump: int, token: str, initial_cluster: str, peer_urls: Mapping[str, str]) -> None:
    """On all members at once, beside their old data."""
    restore.rebuild_data(
        staging=staging,
        bump=bump,
        member=host.name,
        initial_cluster=initial_cluster,
        token=token,
        peer_url=peer_urls[host.name],
        name="Rebuild etcd's data",
        _timeout=timeouts.RESTORE_DATA,
    )


@deploy("Start etcd")
def start_restored() -> None:
    """All members together, as one new cluster."""
    restore.start_restored(name="Start etcd", _timeout=timeouts.LOCAL)
    restore.wait_for_restored(seconds=QUORUM_SECONDS, name="Wait for quorum", _timeout=timeouts.RESTORED_QUORUM)


@deploy("Wait for control planes")
def wait_for_control_planes(port: int) -> None:
    """On each master its API server, then its scheduler and controller manager."""
    control_plane.wait_for_apiserver(
        port=port,
        seconds=APISERVER_SECONDS,
        name="Wait until API servers are ready",
        _timeout=timeouts.RESTORED_APISERVER,
    )
    control_plane.wait_for_controllers(
        seconds=CONTROLLER_SECONDS,
        name="Wait until schedulers and controller managers are healthy",
        _timeout=timeouts.RESTORED_CONTROLLERS,
    )


@deploy("Complete the restore")
def complete() -> None:
    """Only the old data stays."""
    restore.tidy(name="Remove the restore's leftovers", _timeout=timeouts.MANY_FILES)
    kubeadm.absent(path=host_paths.RESTORE_JOURNAL_JSON, name="Remove the restore's journal", _timeout=timeouts.LOCAL)
