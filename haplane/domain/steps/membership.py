"""Steps for machines that come and go: etcd's members, Node objects of machines that are gone, hosts that leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.membership import Act, Change
from haplane.domain.observed import HostReport, Kubernetes, Node, Observation
from haplane.domain.plan import (
    CONTROL_PLANE_LABEL,
    MADE_LABEL,
    MASTER_EVIDENCE,
    THE_CLUSTER,
    ClusterWants,
    Kind,
    Step,
)
from haplane.domain.steps.nodes import WORKER_EVIDENCE, runs_kubelet
from haplane.domain.trust import is_absent, is_gone

MASTER_LABELS = frozenset({CONTROL_PLANE_LABEL, MADE_LABEL})


def member_steps(changes: Sequence[Change]) -> list[Step]:
    """Changes of etcd's membership, in their order; what a leaving one needs besides is another step."""
    return [
        Step(
            Kind.MEMBERS,
            change.name or THE_CLUSTER,
            _change_in_words(change),
            (change.act.name.lower(), f"{change.id:x}"),
        )
        for change in changes
        if change.act is not Act.LEAVE
    ]


def _change_in_words(change: Change) -> str:
    what = f"{change.act.value} {change.id:x}" if change.act is Act.REMOVE else change.act.value
    return f"{what}: {change.why}" if change.why else what


def delete_node_steps(cluster: ClusterWants, observation: Observation) -> list[Step]:
    """Node objects of hosts that were made anew under the same name, and of masters of haplane's that are gone.

    Their pods are deleted by force, so never while the Node may be alive: by the host's own report, or by a majority
    of the masters.
    """
    reports, kubernetes = observation.reports, observation.kubernetes()
    entitled = entitled_masters(cluster, reports)
    steps = []
    for node in kubernetes.nodes if kubernetes else ():
        if node.name in cluster.masters + cluster.workers:
            if _has_lost(node, reports.get(node.name)):
                steps.append(Step(Kind.DELETE_NODE, node.name, "its host no longer has this node's files"))
        elif node.name not in cluster.leaving and is_gone(node.name, entitled, reports, labels=MASTER_LABELS):
            steps.append(Step(Kind.DELETE_NODE, node.name, "a master that is not in the inventory"))
    return steps


def without_node(cluster: ClusterWants, reports: Mapping[str, HostReport]) -> frozenset[str]:
    """Masters and workers of which a majority of the entitled masters reports that they have no Node."""
    entitled = entitled_masters(cluster, reports)
    return frozenset(name for name in (*cluster.masters, *cluster.workers) if is_absent(name, entitled, reports))


def entitled_masters(cluster: ClusterWants, reports: Mapping[str, HostReport]) -> tuple[str, ...]:
    """Masters that know the cluster's Nodes, those included that cannot be reached; not the ones yet to be made."""
    return tuple(
        name
        for name in (*cluster.masters, *cluster.leaving)
        if name not in reports or any(path in reports[name].files for path in MASTER_EVIDENCE)
    )


def _has_lost(node: Node, report: HostReport | None) -> bool:
    """Whether the host at that Node's address reports that it is no node; elsewhere the Node has to be down.

    A host whose kubelet runs is one, and gets its files back; one that could not look has reported nothing.
    """
    if report is None or {"files", "units"} & report.failed.keys() or runs_kubelet(report):
        return False
    if any(path in report.files for path in WORKER_EVIDENCE):
        return False
    return not node.ready or report.interface_of(node.address) is not None


def not_made_by_haplane(cluster: ClusterWants, kubernetes: Kubernetes | None) -> tuple[Node, ...]:
    """Nodes that look like masters, are nowhere in the inventory, and carry no label of haplane's: never deleted."""
    ours = {*cluster.masters, *cluster.workers, *cluster.leaving}
    return tuple(
        node
        for node in (kubernetes.nodes if kubernetes else ())
        if CONTROL_PLANE_LABEL in node.labels and MADE_LABEL not in node.labels and node.name not in ours
    )


def decommission_steps(
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
        clean = name not in reports or (
            reports[name].fresh and host_paths.KUBELET_KUBECONFIG not in reports[name].files
        )
        if not clean or name in nodes | members:
            why = f"drained, stopped, removed, its data and keys moved to {host_paths.RESET}"
            steps.append(Step(Kind.DECOMMISSION, name, why))
    return steps
