"""pyinfra deploys of an upgrade: staging, switching, waiting for rollouts."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from haplane.deploys.single import single
from haplane.domain.files import WantedFile
from haplane.operations import files, kubeadm, timeouts, units, upgrade

switch_files = single(upgrade.switch, "Switch to the new files", timeouts.MANY_FILES, name="switch_files")
switch_back = single(upgrade.switch_back, "Put the old files back", timeouts.MANY_FILES, name="switch_back")
wait_for_node = single(upgrade.wait_for_node, "Wait until {node} is Ready as {version}", timeouts.KUBELET)
write_kubelet_config = single(
    kubeadm.write_kubelet_config,
    "Write the kubelet's configuration",
    timeouts.KUBELET,
    name="write_kubelet_config",
)
remove_staged = single(
    files.remove_directory, "Remove staged and replaced files", timeouts.MANY_FILES, name="remove_staged"
)


@deploy("Stage configuration")
def stage_files(staged: Sequence[WantedFile]) -> None:
    """Beside what is used; :data:`switch_files` puts it in its place."""
    files.place(files=staged, name="Stage configuration", _timeout=timeouts.LOCAL)


@deploy("Restart the node's services")
def restart_node(*, runtime: bool) -> None:
    """The container runtime if asked for, then the kubelet; containers run on under their shims."""
    units.up(unit="containerd", changed=runtime, wait=True, name="Restart containerd", _timeout=timeouts.LOCAL)
    kubeadm.restart_kubelet(name="Restart the kubelet", _timeout=timeouts.KUBELET)


@deploy("Wait for rollouts")
def wait_for_rollouts(workloads: Sequence[str], seconds: int) -> None:
    """Each of them has so many seconds."""
    upgrade.wait_for_rollouts(
        workloads=workloads,
        seconds=seconds,
        name="Wait until the new pods run everywhere",
        _timeout=seconds * len(workloads) + timeouts.LOCAL,
    )
