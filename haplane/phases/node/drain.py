"""Nodes drained through the eviction API, one at a time."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.domain.plan import Kind, Step
from haplane.observation.drain_costs import costs_of, refuse_deadlocks, refuse_losses, show
from haplane.observation.nodes import required_nodes
from haplane.procedures.drain_node import drain_node


def decide_drain(context: Context) -> None:
    """One step for each node. Raises Refused for a deadlock, and for losses that were not agreed to."""
    nodes = required_nodes(context)
    costs = costs_of(context, nodes, nodes)
    refuse_deadlocks(context, costs)
    refuse_losses(context, costs)
    steps = [Step(Kind.DRAIN, one.node, f"{len(one.costs)} pods, listed above") for one in costs]
    show(context, costs, steps)


def drain_nodes(context: Context) -> None:
    """One after the other; each stays cordoned."""
    hosts = context.hosts(Kind.DRAIN)
    for host in hosts:
        began = context.executor.monotonic()
        drain_node(context, host, "drain", out=[one.name for one in hosts])
        context.result.seconds[host.name] = context.executor.monotonic() - began


DECIDE_DRAIN = Look("Decide which nodes are drained, and what that costs", decide_drain)
DRAIN = Phase("Drain nodes, one at a time", (Kind.DRAIN,), drain_nodes)
