"""Whether a host that was rebooted is back in full. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.domain.drain.cluster import Workloads
from haplane.domain.drain.cost import to_evict
from haplane.domain.drain.pod import Pod
from haplane.domain.observed import HostReport
from haplane.domain.plan import few


def missing_services(report: HostReport | None, units: Sequence[str], *, master: bool, member: bool) -> str | None:
    """What does not serve yet of the host itself; ``units`` are those that have to run."""
    if report is None:
        return "does not report yet"
    if down := [unit for unit in units if unit not in report.units or not report.units[unit].active]:
        return f"{', '.join(down)} not active yet"
    if member and not report.etcd.reads_through_quorum:
        return "its etcd member does not read through quorum yet"
    return "its API server is not ready yet" if master and not report.apiserver.ready else None


def missing_pods(found: Workloads, boot_id: str, before: Workloads, *, kept: bool) -> str | None:
    """What its kubelet has not reported yet since the boot ``boot_id``; ``before`` is how the node was.

    With ``kept`` its other pods restart too, and are waited for.
    """
    [node] = found.nodes
    name = node.metadata.name
    if node.status.node_info.boot_id != boot_id or not node.ready:
        return "its Node is not Ready yet"
    evicted = {pod.metadata.uid for pod in to_evict(found, name)}
    pods = [pod for pod in found.pods if not pod.ended and (kept or pod.metadata.uid not in evicted)]
    old = {pod.metadata.uid: _containers(pod) for pod in before.pods}
    ready_before = {pod.metadata.uid for pod in before.pods if pod.ready}
    late = [
        pod.name
        for pod in pods
        if pod.metadata.uid in ready_before and (not pod.ready or _containers(pod) & old[pod.metadata.uid])
    ]
    return f"pods not ready yet: {few(late)}" if late else None


def _containers(pod: Pod) -> set[str]:
    return {one.container_id for one in pod.status.container_statuses if one.container_id}
