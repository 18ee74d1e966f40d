"""What keeps new pods away from nodes that are Ready: cordons, and a taint that somebody forgot to remove."""

from __future__ import annotations

import re

from haplane.domain.observed import Kubernetes, Node
from haplane.domain.plan import CONTROL_PLANE_TAINT
from haplane.domain.problem import Ends, Problem, problem, word
from haplane.domain.status.model import Roster

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
UNINITIALISED = "node.cloudprovider.kubernetes.io/uninitialized"
HINDERING = {
    OUT_OF_SERVICE: ("its pods are deleted without being stopped, and no new pods are placed there", ""),
    UNINITIALISED: (
        "no new pods are placed there until a cloud's controller removes it, and none has",
        ", or install that controller",
    ),
}
"""Taints of Kubernetes' own that no node keeps which is Ready: what they do, and what else ends that."""
BUILT_IN = re.compile(r"node(\.cloudprovider)?\.kubernetes\.io/")
ON_PURPOSE = ("", "drain")
"""What leaves a node cordoned because that was asked for; after other verbs it is what an interrupted run left."""


def cordon_problems(roster: Roster, kubernetes: Kubernetes | None) -> list[Problem]:
    """A node that was cordoned on purpose is a note, unless no other takes new pods."""
    nodes = kubernetes.nodes if kubernetes else ()
    found = [
        problem(
            f"{node.name}: it is Ready and has the taint {name}",
            why=why,
            fix=f"`kubectl taint nodes {node.name} {name}-`{otherwise}",
            needs=[node.name],
        )
        for name, (why, otherwise) in HINDERING.items()
        for node in nodes
        if node.ready and any(taint.startswith(f"{name}:") for taint in node.taints)
    ]
    if closed := _all_closed(nodes):
        return [*found, _no_node_left(roster, closed)]
    return found + [
        problem(
            f"{node.name} is cordoned by haplane: no new pods are placed there",
            why=f"since `haplane node {node.cordoned_by}`",
            fix=_uncordon(roster, node),
            ends=Ends.BY_ITS_FIX,
        )
        for node in nodes
        if node.unschedulable and node.cordoned_by not in ON_PURPOSE
    ]


def cordon_notes(roster: Roster, kubernetes: Kubernetes | None) -> list[str]:
    """Cordons that somebody wanted."""
    nodes = kubernetes.nodes if kubernetes else ()
    if _all_closed(nodes):
        return []
    return [
        f"{node.name} is cordoned: no new pods are placed there until {_uncordon(roster, node)}"
        for node in nodes
        if node.unschedulable and node.cordoned_by in ON_PURPOSE
    ] + [
        f"{node.name} has the taint {', '.join(taints)}: only pods that tolerate it are placed there"
        for node in nodes
        if (taints := _foreign_taints(node))
    ]


def _all_closed(nodes: tuple[Node, ...]) -> list[Node]:
    """What is cordoned, where no other that is Ready takes pods without a toleration; else none.

    Taints that are there for pods with their tolerations close nothing while one node, a master perhaps, has none.
    """
    takers = [node for node in nodes if CONTROL_PLANE_TAINT not in node.taints] or list(nodes)
    if not any(node.ready and not node.unschedulable for node in takers):
        return [node for node in takers if node.unschedulable]
    closed = [node for node in nodes if node.unschedulable or _foreign_taints(node)]
    return [] if any(node.ready and node not in closed for node in nodes) else closed


def _foreign_taints(node: Node) -> tuple[str, ...]:
    """Those that keep pods away, of somebody's own: Kubernetes removes its own when their cause is gone."""
    return tuple(
        taint
        for taint in node.taints
        if taint != CONTROL_PLANE_TAINT and not taint.endswith(":PreferNoSchedule") and not BUILT_IN.match(taint)
    )


def _no_node_left(roster: Roster, closed: list[Node]) -> Problem:
    cordoned = [node for node in closed if node.unschedulable]
    tainted = [node for node in closed if _foreign_taints(node)]
    whys = [f"cordoned: {', '.join(node.name for node in cordoned)}"] if cordoned else []
    whys += [f"{node.name} has the taint {', '.join(_foreign_taints(node))}" for node in tainted]
    free = [node for node in cordoned if node not in tainted]
    fix = _uncordon(roster, *free) if free else _without_taints(tainted[0], tainted)
    return problem("no node takes new pods", why="; ".join(whys), fix=fix)


def _without_taints(first: Node, nodes: list[Node]) -> str:
    """Also from those others that have the same taints."""
    taints = _foreign_taints(first)
    names = [word(node.name) for node in nodes if _foreign_taints(node) == taints]
    return f"`kubectl taint nodes {' '.join(names)} {' '.join(word(f'{taint}-') for taint in taints)}`"


def _uncordon(roster: Roster, *nodes: Node) -> str:
    names = [node.name for node in nodes]
    ours = all(name in roster.addresses for name in names)
    return f"`haplane node uncordon INVENTORY {' '.join(names)}`" if ours else f"`kubectl uncordon {' '.join(names)}`"
