"""What pods need of a node's network, and whoever made it does not look after: it is made once, at a start."""

from __future__ import annotations

from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.problem import Problem, problem, word
from haplane.domain.status.model import Roster

KUBE_PROXY, FLANNEL = "kube-proxy", "flannel-ipv4"
LOST = {
    KUBE_PROXY: "its pods reach no service",
    FLANNEL: "what its pods send out of the cluster does not come back",
}
PODS = {
    KUBE_PROXY: "--namespace=kube-system delete pods --selector=k8s-app=kube-proxy",
    FLANNEL: "--namespace=kube-flannel delete pods",
}


def pod_network_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """Tables of nftables that are gone, and flannel's file: nodes without them are Ready, and so are their pods."""
    found = []
    for node in kubernetes.nodes if kubernetes else ():
        report = observation.reports.get(node.name)
        if report is None or not node.ready or node.name not in (*roster.masters, *roster.workers):
            continue
        seen = report.precedence
        if roster.own_pod_network and seen.no_subnet:
            what = f"{node.name}: no new pod starts there"
            found.append(problem(what, why="/run/flannel/subnet.env is gone", fix=_again(FLANNEL, node.name)))
        found += [
            problem(
                f"{node.name}: {LOST[table]}",
                why=f"the packet filter has lost the table {table}: somebody has emptied it",
                fix=_again(table, node.name),
            )
            for table in roster.tables
            if seen.tables is not None and table not in seen.tables
        ]
    return found


def _again(of: str, node: str) -> str:
    """Its pod there is replaced, and makes all of it anew."""
    return f"`kubectl {PODS[of]} --field-selector=spec.nodeName={word(node)}`"
