"""haproxy alone dies on a load balancer: keepalived must notice and hand the address over."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, shell
from haplane.drills.targets import a_balancer
from haplane.scripts import script


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """On the load balancer that was named, or the holder of the address."""
    name, role = a_balancer(context, status, wanted)
    return Fault(
        host=name,
        role=role,
        announcement=f"It kills haproxy on {name} ({role}) and starts it again once service has recovered.",
        parts=(shell(context.inventory.host(name), script("kill_haproxy"), script("start_killed_haproxy")),),
    )


DRILL = Drill(
    "kill-haproxy", "Kill haproxy alone, on load balancer HOST or the one that holds the endpoint's address.", plan
)
