"""What a verb would cost the pods of the nodes it takes out of service; what is refused before anything moves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import inf

from haplane.context.context import Context
from haplane.domain.drain.agreed import agreed_costs
from haplane.domain.drain.cluster import Workloads
from haplane.domain.drain.cost import Cost, Drain, cost_of_drain, cost_of_reboot_in_place
from haplane.domain.drain.summary import NodeCost, line
from haplane.domain.plan import Plan, Step, few
from haplane.domain.status.workloads import silent_webhooks
from haplane.errors import Refused
from haplane.observation.workloads import read_workloads

MOST_SHOWN = 10


def costs_of(context: Context, nodes: Sequence[str], out: Collection[str]) -> tuple[NodeCost, ...]:
    """Of each of these nodes; ``out`` are all that take no pods meanwhile.

    Budgets and grace periods have no say on a host that does not respond: its pods are not evicted, but deleted with
    the Node.
    """
    if not nodes:
        return ()
    views, asked = read_workloads(context, nodes), context.request.node
    hooks = silent_webhooks(context.observation.reports.values())
    leaving = {host.name for host in context.inventory.leaving}

    def cost_of(node: str, workloads: Workloads) -> tuple[Cost, ...]:
        if asked.keep_pods:
            return cost_of_reboot_in_place(workloads, node)
        leaves = asked.leaves or node in leaving
        drain = Drain(out, context.now(), asked.drain_seconds, asked.reboots, leaves, hooks)
        if node in context.observation.reports:
            return cost_of_drain(workloads, node, drain)
        without_budgets = workloads.model_copy(update={"budgets": ()})
        return cost_of_drain(without_budgets, node, replace(drain, seconds=inf))

    return tuple(NodeCost(node, agreed_costs([cost_of(node, view) for view in views])) for node in nodes)


def refuse_deadlocks(context: Context, costs: Sequence[NodeCost]) -> None:
    """Raises Refused for pods that would never go."""
    if stuck := [(one.node, cost) for one in costs for cost in one.deadlocks]:
        raise Refused(
            f"{_names(stuck)} cannot be drained; nothing was changed there",
            where=_pods(stuck),
            why=_lines(stuck),
            next_step="let the budget allow a disruption (more replicas, or a lower minAvailable), then re-run",
        )


def refuse_losses(context: Context, costs: Sequence[NodeCost], agree: str = "add --force") -> None:
    """Raises Refused for what is lost, or is not to be evicted, unless that was agreed to: ``agree`` is how."""
    paying = [(one.node, cost) for one in costs for cost in one.needs_force]
    if paying and not context.request.node.force:
        raise Refused(
            f"pods or data on {_names(paying)} would be lost or disturbed; nothing was changed there",
            where=_pods(paying),
            why=_lines(paying),
            next_step=f"save what you need; to go on anyway, {agree}",
        )


def show(context: Context, costs: Sequence[NodeCost], steps: Sequence[Step]) -> None:
    """The list as the plan's headline, and its steps."""
    context.result.costs = tuple(costs)
    headline = tuple(text for one in costs for text in one.lines())
    context.adopt(replace(context.decision, plan=Plan(tuple(steps)), headline=headline))


def _names(found: Sequence[tuple[str, Cost]]) -> str:
    return ", ".join(dict.fromkeys(node for node, _ in found))


def _pods(found: Sequence[tuple[str, Cost]]) -> str:
    return few([cost.pod for _, cost in found], MOST_SHOWN)


def _lines(found: Sequence[tuple[str, Cost]]) -> str:
    more = (
        [f"and {len(found) - MOST_SHOWN} more: --dry-run --force lists them all"] if len(found) > MOST_SHOWN else []
    )
    return "\n".join([*(f"{node}: {line(cost)}" for node, cost in found[:MOST_SHOWN]), *more])
