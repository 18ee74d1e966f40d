"""What kube-proxy and flannel make on a node when they start, and not again: once it is gone, a new pod brings it.

Pure. Nodes without it are Ready, and so are their pods.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from haplane.domain.cluster_health import Precedence
from haplane.domain.observed import HostReport, Kubernetes
from haplane.domain.plan import ClusterWants, Kind, Step
from haplane.domain.steps.nodes import is_registered

KUBE_PROXY, FLANNEL = "kube-proxy", "flannel-ipv4"
"""Their tables of nftables."""

PODS = {
    KUBE_PROXY: "kube-system/kube-proxy/k8s-app=kube-proxy",
    FLANNEL: "kube-flannel/flannel/app=flannel",
}
"""NAMESPACE/DAEMONSET/SELECTOR of who makes it."""


def pod_network_steps(
    cluster: ClusterWants, reports: Mapping[str, HostReport], kubernetes: Kubernetes | None
) -> list[Step]:
    """One for each Ready node that lacks something, with the pods to replace there."""
    steps = []
    for name in ready_nodes((*cluster.masters, *cluster.workers), reports, kubernetes):
        if lost := lost_by(cluster.tables, reports[name].precedence):
            whys = "; ".join(dict.fromkeys(lost.values()))
            steps.append(Step(Kind.REPLACE_PODS, name, whys, tuple(PODS[one] for one in lost)))
    return steps


def ready_nodes(
    names: Collection[str], reports: Mapping[str, HostReport], kubernetes: Kubernetes | None
) -> Sequence[str]:
    """Those whose kubelet has run for long enough to have started all of its pods."""
    nodes = kubernetes.nodes if kubernetes else ()
    ready = [node.name for node in nodes if node.ready and node.name in names]
    return [name for name in ready if name in reports and is_registered(reports[name])]


def lost_by(tables: Collection[str], seen: Precedence) -> dict[str, str]:
    """Whose part is gone, by its table -> what that is."""
    found = {}
    if seen.tables is not None:
        found = {one: f"the packet filter was emptied: no table {one}" for one in tables if one not in seen.tables}
    if FLANNEL in tables and seen.no_subnet:
        found[FLANNEL] = "/run/flannel/subnet.env is gone"
    return found
