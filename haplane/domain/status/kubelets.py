"""Kubelets and API servers that do not get to each other, or do not accept each other, though nodes are Ready."""

from __future__ import annotations

from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.plan import few
from haplane.domain.problem import UP, Problem, on, problem
from haplane.domain.status.model import Roster


def closed_ports(kubernetes: Kubernetes | None) -> list[Problem]:
    """Nodes whose kubelet reaches the API servers, so that they are Ready, and which they do not reach."""
    return [
        problem(
            f"{node.name}: API servers cannot reach its kubelet: logs and exec of its pods fail",
            why="most masters cannot connect to its port 10250",
            fix=f"see what drops packets: {on(node.name, 'nft list ruleset')}",
            needs=[node.name],
        )
        for node in (kubernetes.nodes if kubernetes else ())
        if node.ready and node.closed
    ]


def serving_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """Nodes whose kubelet shows API servers a certificate that they cannot verify."""
    if kubernetes is None:
        return []
    verified = any("verifies_kubelets" in report.settings for report in observation.of(roster.masters))
    effect = "logs and exec of its pods fail" if verified else "logs and exec of its pods can be intercepted"
    asked = {request.username for request in kubernetes.serving_requests}
    up = f"`haplane up {roster.inventory}`"
    by_hand = f"on it `kubeadm upgrade node phase kubelet-config && systemctl restart kubelet`, then {up}"
    return [
        problem(
            f"{node.name}: API servers cannot verify its kubelet's certificate: {effect}",
            why=node.unverified,
            fix=up if node.name in roster.addresses or f"system:node:{node.name}" in asked else by_hand,
            needs=[node.name],
        )
        for node in kubernetes.nodes
        if node.ready and node.unverified
    ]


REFUSALS = {
    "HTTP 401": "it does not trust the CA of API servers' client certificate",
    "HTTP 403": "their client certificate has no rights there",
}


def refusing_kubelets(kubernetes: Kubernetes | None) -> list[Problem]:
    """Kubelets that do not let API servers in: by another CA than theirs, or for want of a role or its binding."""
    refusing: dict[str, list[str]] = {}
    for node in kubernetes.nodes if kubernetes else ():
        if node.ready and node.refuses in REFUSALS:
            refusing.setdefault(node.refuses, []).append(node.name)
    return [
        problem(
            f"{few(names)}: kubelets refuse API servers' requests: logs and exec of their pods fail",
            why=f"{status}: {REFUSALS[status]}",
            fix=UP,
            needs=names,
        )
        for status, names in refusing.items()
    ]


def refused_kubelets(observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """Those whose node is Ready because of a connection from before: they get no other one."""
    ready = {node.name for node in kubernetes.nodes if node.ready} if kubernetes else set()
    return [
        problem(
            f"{name}: its kubelet and the API server would not accept each other again",
            why=report.kubelet.unserved,
            fix=UP,
        )
        for name, report in sorted(observation.reports.items())
        if name in ready and report.kubelet.is_refused
    ]
