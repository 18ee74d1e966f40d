"""Hosts that may be rebooted: in which order, and what that costs."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.outage_order import in_order
from haplane.domain.plan import Kind, Step
from haplane.observation.drain_costs import costs_of, refuse_deadlocks, refuse_losses, show
from haplane.observation.guard import refuse_unsafe_now
from haplane.observation.nodes import nodes_among


def decide_reboots(context: Context, hosts: list[Host], kind: Kind) -> None:
    """One step for each host, in the order in which they go. Raises as the drain's decision does."""
    costs = costs_of(context, [host.name for host in nodes_among(context, hosts)], ())
    refuse_deadlocks(context, costs)
    refuse_losses(context, costs)
    kept = context.request.node.keep_pods
    names = _order(context, hosts)
    refuse_unsafe_now(context, context.inventory.host(names[0]))
    show(context, costs, [Step(kind, name, _why(context, name, kept=kept)) for name in names])


def _order(context: Context, hosts: list[Host]) -> list[str]:
    """Of hosts that go out of service one after the other."""
    workers, balancers = (
        [host.name for host in group] for group in (context.inventory.workers, context.inventory.load_balancers)
    )
    names = [host.name for host in hosts]
    return in_order(names, context.observation.reports, workers=workers, balancers=balancers)


def _why(context: Context, name: str, *, kept: bool) -> str:
    """What is done around the reboot."""
    host, inventory = context.inventory.host(name), context.inventory
    parts = []
    if host in inventory.nodes:
        parts.append("cordoned, its pods restart with it" if kept else "drained first")
    if host in inventory.masters:
        parts.append("its API server out of service meanwhile")
    if host in inventory.balancer_hosts:
        parts.append("the endpoint's address handed over first")
    return ", ".join(parts) or "its etcd member away meanwhile"
