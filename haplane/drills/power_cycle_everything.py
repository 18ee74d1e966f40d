"""Every host loses its power at the same moment and gets it back."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.limits import Limits
from haplane.errors import BadInput

LONGEST_OUTAGE_SECONDS = 180.0


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """All hosts, so none can be named."""
    if wanted is not None:
        raise BadInput("this drill is about all hosts", where="HOST", next_step="leave HOST out")
    hosts = [host.name for host in context.inventory.hosts]
    return Fault(
        host=", ".join(hosts),
        role="all hosts",
        announcement=f"It cuts the power of all {len(hosts)} hosts, then restores it: the API is DOWN meanwhile.",
        parts=(context.machines.power_cut(hosts),),
        at_most=0.0,
        off=hosts,
    )


DRILL = Drill(
    "power-cycle-everything",
    "Cut the power of all hosts at the same time and restore it: the API is down meanwhile.",
    plan,
    Limits(read_gap=LONGEST_OUTAGE_SECONDS, write_gap=LONGEST_OUTAGE_SECONDS, healthy_again=LONGEST_OUTAGE_SECONDS),
    is_outage=True,
)
