"""The load balancer with the endpoint's address reaches no master any more, and the other load balancer does."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, cut
from haplane.drills.limits import Limits
from haplane.drills.targets import a_balancer

FOUND_SECONDS = 15.0
"""haproxy believes four checks in a row, keepalived two failures of its own check, 2 s apart (templates/)."""


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """On the load balancer that was named, or the holder of the address."""
    name, role = a_balancer(context, status, wanted)
    return Fault(
        host=name,
        role=role,
        announcement=f"On {name} ({role}) it drops every packet between it and the masters, until service has "
        "recovered. SSH works on.",
        parts=(cut(context.inventory.host(name), context.inventory.masters),),
        at_least=20.0,
    )


DRILL = Drill(
    "cut-load-balancer",
    "Cut the network between load balancer HOST, or the one that holds the endpoint's address, and the masters.",
    plan,
    Limits(read_gap=FOUND_SECONDS, write_gap=FOUND_SECONDS),
)
