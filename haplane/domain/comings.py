"""Steps for machines that come and go: etcd's members, Node objects of machines that are gone, hosts that leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.membership import Act, Change
from haplane.domain.observed import HostReport, Kubernetes
from haplane.domain.plan import (
    CONTROL_PLANE_LABEL,
    KUBELET_CONFIG,
    KUBELET_KUBECONFIG,
    ClusterWants,
    Kind,
    Step,
)

NODE_FILES = (KUBELET_KUBECONFIG, KUBELET_CONFIG)


def member_steps(changes: Sequence[Change]) -> list[Step]:
    """Changes of etcd's membership, in their order; what a leaving one needs besides is another step."""
    return [
        Step(Kind.MEMBERS, change.name or "the cluster", _change_in_words(change))
        for change in changes
        if change.act is not Act.LEAVE
    ]


def _change_in_words(change: Change) -> str:
    what = f"{change.act.value} {change.id:x}" if change.act is Act.REMOVE else change.act.value
    return f"{what}: {change.why}" if change.why else what


def forget_steps(
    cluster: ClusterWants, reports: Mapping[str, HostReport], kubernetes: Kubernetes | None
) -> list[Step]:
    """Node objects of machines that were made anew under the same name, and of masters that are no more."""
    steps = []
    for node in kubernetes.nodes if kubernetes else ():
        if node.name in cluster.masters + cluster.workers:
            if node.name in reports and not any(path in reports[node.name].files for path in NODE_FILES):
                steps.append(Step(Kind.FORGET, node.name, "its machine has lost what made it that node"))
        elif CONTROL_PLANE_LABEL in node.labels and node.name not in cluster.leaving:
            steps.append(Step(Kind.FORGET, node.name, "a master that is not in the inventory"))
    return steps


def leave_steps(
    cluster: ClusterWants,
    reports: Mapping[str, HostReport],
    kubernetes: Kubernetes | None,
    changes: Sequence[Change],
) -> list[Step]:
    """Leaving hosts on which, or of which, anything is left."""
    nodes = {node.name for node in kubernetes.nodes} if kubernetes else set()
    members = {change.name for change in changes if change.act is Act.LEAVE}
    steps = []
    for name in cluster.leaving:
        clean = name not in reports or (reports[name].fresh and KUBELET_KUBECONFIG not in reports[name].files)
        if not clean or name in nodes | members:
            steps.append(Step(Kind.LEAVE, name, "drained, stopped, forgotten, its data and keys moved aside"))
    return steps
