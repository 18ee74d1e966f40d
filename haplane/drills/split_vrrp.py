"""No load balancer receives another's adverts: all of them take the address."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, cut
from haplane.drills.targets import a_balancer


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """On every load balancer, whichever was named."""
    a_balancer(context, status, wanted)  # refuses where there is no second one
    balancers = context.inventory.balancer_hosts
    names = ", ".join(host.name for host in balancers)
    return Fault(
        host=names,
        role="all load balancers",
        announcement=f"It drops the VRRP adverts between {names} for 20 s, so each of them takes the address.",
        parts=tuple(cut(host, balancers, only="ip protocol 112") for host in balancers),
        at_least=20.0,
    )


DRILL = Drill("split-vrrp", "Drop the VRRP adverts between all load balancers: each takes the address.", plan)
