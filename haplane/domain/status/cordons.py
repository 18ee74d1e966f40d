"""What keeps new pods away from nodes that are Ready: cordons, and a taint that somebody forgot to remove."""

from __future__ import annotations

from haplane.domain.observed import Kubernetes, Node
from haplane.domain.plan import CONTROL_PLANE_TAINT
from haplane.domain.problem import Problem, problem
from haplane.domain.status.model import Roster

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
BY_HAPLANE = " is cordoned by haplane"
ON_PURPOSE = ("", "drain")
"""What leaves a node cordoned because that was asked for; after other verbs it is what an interrupted run left."""


def cordon_problems(roster: Roster, kubernetes: Kubernetes | None) -> list[Problem]:
    """A node that was cordoned on purpose is a note, unless no other takes new pods."""
    nodes = kubernetes.nodes if kubernetes else ()
    found = [
        problem(
            f"{node.name}: it is Ready and has the taint {OUT_OF_SERVICE}",
            why="its pods are deleted without being stopped, and no new pods are placed there",
            fix=f"`kubectl taint nodes {node.name} {OUT_OF_SERVICE}-`",
        )
        for node in nodes
        if node.ready and any(taint.startswith(f"{OUT_OF_SERVICE}:") for taint in node.taints)
    ]
    if cordoned := _all_cordoned(nodes):
        names = ", ".join(node.name for node in cordoned)
        what = "no node takes new pods"
        return [*found, problem(what, why=f"cordoned: {names}", fix=_uncordon(roster, *cordoned))]
    return found + [
        problem(
            f"{node.name}{BY_HAPLANE}: no new pods are placed there",
            why=f"since `haplane node {node.cordoned_by}`",
            fix=_uncordon(roster, node),
        )
        for node in nodes
        if node.unschedulable and node.cordoned_by not in ON_PURPOSE
    ]


def cordon_notes(roster: Roster, kubernetes: Kubernetes | None) -> list[str]:
    """Cordons that somebody wanted."""
    nodes = kubernetes.nodes if kubernetes else ()
    if _all_cordoned(nodes):
        return []
    return [
        f"{node.name} is cordoned: no new pods are placed there until {_uncordon(roster, node)}"
        for node in nodes
        if node.unschedulable and node.cordoned_by in ON_PURPOSE
    ]


def _all_cordoned(nodes: tuple[Node, ...]) -> list[Node]:
    """The cordoned nodes, where no other that is Ready takes pods without a toleration; else none."""
    takers = [node for node in nodes if CONTROL_PLANE_TAINT not in node.taints] or list(nodes)
    left = [node for node in takers if node.ready and not node.unschedulable]
    return [] if left else [node for node in takers if node.unschedulable]


def _uncordon(roster: Roster, *nodes: Node) -> str:
    names = [node.name for node in nodes]
    ours = all(name in roster.addresses for name in names)
    return f"`haplane node uncordon INVENTORY {' '.join(names)}`" if ours else f"`kubectl uncordon {' '.join(names)}`"
