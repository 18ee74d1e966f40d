"""One answer out of several API servers': at least half of them have to report a pod, or what a drain costs it. Pure.

So one that lies hides nothing from a drain where another one answers, and makes nothing up where two others do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from haplane.domain.drain.api import Object
from haplane.domain.drain.cluster import Workloads
from haplane.domain.drain.cost import Cost, Effect

GRAVITY = list(Effect)
Some = TypeVar("Some", bound=Object)


def agreed_costs(views: Sequence[Sequence[Cost]]) -> tuple[Cost, ...]:
    """The gravest of each pod's costs that at least half of the views reach."""
    by_pod: dict[str, list[Cost]] = {}
    for view in views:
        for pod, cost in {cost.pod: cost for cost in view}.items():
            by_pod.setdefault(pod, []).append(cost)
    half = (len(views) - 1) // 2
    ranked = [sorted(costs, key=_gravity) for _, costs in sorted(by_pod.items())]
    return tuple(costs[half] for costs in ranked if len(costs) > half)


def agreed_look(views: Sequence[Workloads]) -> Workloads:
    """A node as most views have it, and its pods: those that at least half of the views have."""
    node = _most([node for view in views for node in view.nodes])
    return views[0].model_copy(update={"pods": _agreed([view.pods for view in views]), "nodes": (node,)})


def _agreed(views: Sequence[Sequence[Some]]) -> tuple[Some, ...]:
    seen: dict[str, list[Some]] = {}
    for view in views:
        for uid, one in {one.metadata.uid: one for one in view}.items():
            seen.setdefault(uid, []).append(one)
    return tuple(_most(found) for found in seen.values() if 2 * len(found) >= len(views))


def _most(found: Sequence[Some]) -> Some:
    texts = [one.model_dump_json() for one in found]
    return found[texts.index(Counter(texts).most_common(1)[0][0])]


def _gravity(cost: Cost) -> tuple[bool, int]:
    return not cost.deadlock, GRAVITY.index(cost.effect)
