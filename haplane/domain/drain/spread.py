"""Required topology spread: where one more pod would be too many, as the scheduler's filter counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from haplane.domain.drain.cluster import NodeObject
from haplane.domain.drain.pod import Pod, Spread


def required(pod: Pod) -> tuple[Spread, ...]:
    """Its spreads that a node is refused for."""
    return tuple(one for one in pod.spec.topology_spread_constraints if one.when_unsatisfiable == "DoNotSchedule")


def overfull(
    pod: Pod,
    spread: Spread,
    nodes: Iterable[NodeObject],
    pods: Mapping[str, Sequence[Pod]],
) -> frozenset[str]:
    """Values of the spread's label whose nodes have too many such pods for one more.

    ``nodes``: those whose values are compared; ``pods`` by node. Cordoned nodes are compared too, unless the spread
    honours taints: their values have no such pods, and keep the others from taking more.
    """
    values = {node.metadata.name: node.metadata.labels.get(spread.topology_key) for node in nodes}
    found = {value: 0 for value in values.values() if value is not None}
    for node, value in values.items():
        if value is not None:
            found[value] += sum(_is_counted(other, pod, spread) for other in pods.get(node, ()))
    least = min(found.values(), default=0) if len(found) >= spread.min_domains else 0
    more = 1 if _selects(spread, pod) else 0
    return frozenset(value for value, count in found.items() if count + more - least > spread.max_skew)


def _selects(spread: Spread, pod: Pod) -> bool:
    return spread.label_selector is not None and spread.label_selector.matches(pod.metadata.labels)


def _is_counted(other: Pod, pod: Pod, spread: Spread) -> bool:
    same = other.metadata.namespace == pod.metadata.namespace and other.metadata.deletion_timestamp is None
    return same and _selects(spread, other)
