"""A node cordoned and drained through the eviction API."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.drain.cost import to_evict
from haplane.domain.drain.pod import Pod
from haplane.domain.drain.summary import NodeCost
from haplane.domain.plan import few
from haplane.errors import DeadlinePassed, Refused
from haplane.observation.drain_costs import costs_of, refuse_deadlocks, refuse_losses
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.observation.workloads import look
from haplane.procedures.node_api import CORDONED, cordon, evict, uncordon

EVERY_SECONDS = 1.0
"""Between two looks at what is left on a node."""

BUDGET_SECONDS = 120.0
"""After one node, the pods that moved from it need a moment until budgets let the next one's go."""


def drain_node(context: Context, host: Host, verb: str, *, out: Collection[str], agree: str = "add --force") -> None:
    """Cordon it, look at its list once more, evict its pods and wait until they are gone.

    ``out`` as for :func:`costs_of`, ``agree`` as for :func:`refuse_losses`. Raises Refused, with the node as it was,
    when the list has become worse than what was agreed to; DeadlinePassed, with the node cordoned, when pods do not
    go in time. Replacements that no cordon keeps away may have come back: they are left there, and named.
    """
    context.progress(host.name, "cordoning")
    cordon(context, host.name, verb)
    try:
        cost = _refuse_worse(context, host, out, agree)
    except Refused:
        uncordon_own(context, host, verb)
        raise
    deadline = context.executor.monotonic() + context.request.node.drain_seconds
    refused: dict[str, str] = {}
    found = to_evict(look(context, host.name), host.name)
    known, returning = {pod.metadata.uid for pod in found}, _returning(found, cost)
    while left := [pod for pod in found if not _came_back(pod, known, returning)]:
        if context.executor.monotonic() >= deadline:
            raise _late(context, host, left, refused)
        refused = evict(context, [pod for pod in left if pod.metadata.deletion_timestamp is None])
        context.progress(host.name, _left(left, refused))
        context.executor.sleep(EVERY_SECONDS)
        found = to_evict(look(context, host.name), host.name)
    if found:
        names = few([pod.name for pod in found])
        context.progress(host.name, f"drained; {names} came back: no cordon keeps them away, and they stay")


def _returning(pods: Sequence[Pod], cost: NodeCost) -> frozenset[str]:
    """Controllers, by uid, that put their pods onto this node without asking a scheduler."""
    uids = {one.uid for one in cost.costs if one.returns}
    owners = (pod.metadata.controller for pod in pods if pod.metadata.uid in uids)
    return frozenset(owner.uid for owner in owners if owner is not None)


def _came_back(pod: Pod, known: Collection[str], returning: Collection[str]) -> bool:
    """Onto the cordoned node, as it may: evicted, its replacement would be back a second later, and so on."""
    owner = pod.metadata.controller
    may = pod.tolerates_cordons or (owner is not None and owner.uid in returning)
    return may and pod.metadata.uid not in known


def uncordon_own(context: Context, host: Host, verb: str) -> None:
    """If this verb cordoned it, in this run or in one that was interrupted."""
    [node] = look(context, host.name).nodes
    if node.metadata.annotations.get(CORDONED) == verb:
        uncordon(context, host.name)
    elif node.spec.unschedulable:
        context.progress(host.name, "stays cordoned, as it was before")


def _refuse_worse(context: Context, host: Host, out: Collection[str], agree: str) -> NodeCost:
    """The list as it is now.

    Budgets that do not allow a disruption yet are waited for: pods of the last node may be starting.
    """
    [cost] = costs_of(context, [host.name], out)

    def blocked() -> Obstacle | None:
        return Obstacle(host.name, f"waiting: {'; '.join(cost.deadlocks[0].why)}") if cost.deadlocks else None

    def look_again(_: Context) -> None:
        nonlocal cost
        [cost] = costs_of(context, [host.name], out)

    look_until_clear(context, blocked, BUDGET_SECONDS, look=look_again)
    refuse_deadlocks(context, [cost])
    refuse_losses(context, [cost], agree)
    return cost


def _left(pods: Sequence[Pod], refused: dict[str, str]) -> str:
    names = few([pod.name for pod in pods])
    waits = [f"{pod.name} waits: {refused[pod.metadata.uid]}" for pod in pods if pod.metadata.uid in refused]
    return "; ".join([f"draining, {len(pods)} left: {names}", *waits[:1]])


def _late(context: Context, host: Host, left: Sequence[Pod], refused: dict[str, str]) -> DeadlinePassed:
    whys = [refused.get(pod.metadata.uid) or _why_left(pod, context.now()) for pod in left]
    return DeadlinePassed(
        f"{host.name} was not drained within {context.request.node.drain_seconds:g} s; it stays cordoned",
        where=f"{host.name}: {few([pod.name for pod in left])}",
        why="\n".join(f"{pod.name}: {why}" for pod, why in list(zip(left, whys, strict=True))[:3]),
        next_step="fix the cause and re-run; if pods end slowly, "
        f"`haplane node drain {context.inventory.path} {host.name} --timeout SECONDS` first; "
        f"or give up: `haplane node uncordon {context.inventory.path} {host.name}`",
    )


def _why_left(pod: Pod, now: datetime) -> str:
    ends = pod.metadata.deletion_timestamp
    if ends is None or ends < now:
        return "is terminating, or its kubelet does not end it"
    return f"is terminating, and has until {ends:%H:%M:%S} UTC for that (terminationGracePeriodSeconds)"
