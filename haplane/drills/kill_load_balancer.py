"""A load balancer loses its power, by default the one that holds the endpoint's address."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, power_cut
from haplane.drills.targets import a_balancer


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """A power cut of the chosen one."""
    return power_cut(context, status, *a_balancer(context, status, wanted))


DRILL = Drill(
    "kill-load-balancer",
    "Cut the power of one load balancer, HOST or the one that holds the endpoint's address.",
    plan,
)
