"""What kube-proxy and flannel make on a node when they start, and not again: once it is gone, a new pod brings it.

Pure. Nodes without it are Ready, and so are their pods.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from haplane.domain.cluster_health import Precedence
from haplane.domain.observed import HostReport, Kubernetes, Node, views_of
from haplane.domain.plan import ClusterWants, Kind, Step, few
from haplane.domain.refusals import irreplaceable_pods, waits_to_create
from haplane.domain.steps.nodes import REGISTRATION_SECONDS, is_registered

KUBE_PROXY, FLANNEL = "kube-proxy", "flannel-ipv4"
"""Their tables of nftables."""

PODS = {
    KUBE_PROXY: "kube-system/kube-proxy/k8s-app=kube-proxy",
    FLANNEL: "kube-flannel/flannel/app=flannel",
}
"""NAMESPACE/DAEMONSET/SELECTOR of who makes it."""


def pod_network_steps(
    cluster: ClusterWants,
    reports: Mapping[str, HostReport],
    kubernetes: Kubernetes | None,
    without_node: Collection[str] = (),
) -> list[Step]:
    """One for each Ready node that lacks something and each ``without_node``, with the pods to replace there.

    None of a DaemonSet whose pods an API server would not take again: a node keeps those that it has.
    """
    steps, refused = [], refused_pods(reports)
    for name in (*cluster.masters, *cluster.workers):
        gone = name in without_node and name in reports and is_registered(reports[name])
        if gone and FLANNEL in cluster.tables and daemon_set(FLANNEL) not in refused:
            steps.append(Step(Kind.REPLACE_PODS, name, "flannel notes its way on its new Node", (PODS[FLANNEL],)))
    for name in ready_nodes((*cluster.masters, *cluster.workers), reports, kubernetes):
        lost = lost_on(name, cluster.tables, reports, kubernetes, tunnel=cluster.pod_tunnel)
        lost |= {table: UNMADE for table in cluster.tables if table not in lost and _is_unmade(name, table, reports)}
        lost = {table: why for table, why in lost.items() if daemon_set(table) not in refused}
        if lost:
            whys = "; ".join(dict.fromkeys(lost.values()))
            steps.append(Step(Kind.REPLACE_PODS, name, whys, tuple(PODS[one] for one in lost)))
    return steps


def daemon_set(table: str) -> str:
    """NAMESPACE/NAME of who makes it."""
    return PODS[table].rpartition("/")[0]


def refused_pods(reports: Mapping[str, HostReport]) -> dict[str, str]:
    """NAMESPACE/NAME -> why, of what any API server would not take again."""
    return irreplaceable_pods(views_of(reports.values()))


UNMADE = "its pod was refused for what is gone now, and its controller waits to try again"


def _is_unmade(node: str, table: str, reports: Mapping[str, HostReport]) -> bool:
    """By every master's word."""
    name = daemon_set(table)
    views = views_of(reports.values())
    return bool(views) and all(
        any(
            one.name == name and waits_to_create(one, view) and node not in [pod.node for pod in one.pods]
            for one in view.daemon_sets
        )
        for view in views
    )


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


def lost_on(
    name: str,
    tables: Collection[str],
    reports: Mapping[str, HostReport],
    kubernetes: Kubernetes | None,
    *,
    tunnel: bool,
) -> dict[str, str]:
    """The same of one node, with what connects its pods. ``tunnel``: flannel's packets go through one."""
    found = lost_by(tables, reports[name].precedence)
    nodes = {node.name: node for node in kubernetes.nodes} if kubernetes else {}
    if FLANNEL not in tables or name not in nodes or subnet_of(reports[name]) is None:
        return found
    why = _not_its_nodes(nodes[name], reports[name]) or _disconnected(reports[name], tunnel=tunnel)
    if why is None:
        others = (node for node in nodes.values() if node.name != name and node.pod_network)
        there = (node for node in others if node.name in reports and _announced(node, reports[node.name]))
        lost = [node.name for node in there if node.pod_network not in reports[name].pod_network.routes]
        why = f"no route to the pods of {few(lost)}" if lost else None
    return found | ({FLANNEL: why} if why and FLANNEL not in found else {})


def subnet_of(report: HostReport) -> IPv4Interface | None:
    """What flannel gave its bridge, once it has run for long enough to have told the others; None before."""
    seen = report.pod_network
    settled = report.started_at - seen.subnet_since > REGISTRATION_SECONDS
    try:
        return IPv4Interface(seen.subnet) if seen.subnet and settled and is_registered(report) else None
    except ValueError:
        return None


def _announced(node: Node, report: HostReport) -> bool:
    return subnet_of(report) is not None and _not_its_nodes(node, report) is None


def _not_its_nodes(node: Node, report: HostReport) -> str | None:
    """Why others do not find its pods: its Node is not the one that flannel started with."""
    subnet, bridge = subnet_of(report), report.addresses.get("cni0", ())
    if node.unannounced:
        return "its Node was made anew, and lacks what flannel notes there when it starts"
    if subnet is None or not node.pod_network:
        return None
    if subnet.network != IPv4Network(node.pod_network):
        return f"its pods' network is {node.pod_network}, flannel started with {subnet.network}"
    if bridge and not any(is_in(one, subnet.network) for one in bridge):
        return f"cni0 has {bridge[0]}, which is not in {subnet.network}"
    return None


def is_in(address: str, network: IPv4Network) -> bool:
    """Whether a host's text is an address of that network."""
    try:
        return IPv4Address(address) in network
    except ValueError:
        return False


def _disconnected(report: HostReport, *, tunnel: bool) -> str | None:
    seen = report.pod_network
    if tunnel and not seen.links.get("flannel.1"):
        return f"the tunnel flannel.1 is {'down' if 'flannel.1' in seen.links else 'gone'}"
    if seen.links.get("cni0") is False:
        return "the bridge cni0 is down"
    return f"{seen.detached} of its pods are connected to no bridge" if seen.detached else None
