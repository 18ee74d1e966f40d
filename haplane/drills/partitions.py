"""The network between the etcd leader's host and the other members' hosts fails, wholly or in part. Three drills."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, cut, refuse_fatal
from haplane.drills.limits import Limits
from haplane.drills.targets import the_leader


def plan_both_ways(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """No packet in either direction."""
    return _cut(context, status, wanted, "drops every packet between it and the other etcd hosts")


def plan_one_way(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The leader is heard and hears nothing."""
    return _cut(context, status, wanted, "drops what it receives from the other etcd hosts", sent=False)


def plan_lossy(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """Three packets of ten are lost."""
    return _cut(
        context, status, wanted, "drops 30 % of what it receives from the other etcd hosts", sent=False, percent=30
    )


def _cut(
    context: DrillContext, status: Status, wanted: str | None, does: str, *, sent: bool = True, percent: int = 100
) -> Fault:
    name = the_leader(context, status, wanted)
    refuse_fatal(context, status, name)
    return Fault(
        host=name,
        role="the host of the etcd leader",
        announcement=f"On {name} (the host of the etcd leader) it {does}, until service has recovered. SSH works on.",
        parts=(cut(context.inventory.host(name), context.inventory.etcd, sent=sent, percent=percent),),
        at_least=20.0,
    )


FROZEN_OR_CUT = Limits(read_gap=3, write_gap=3)
CUT = Drill(
    "cut-etcd-leader", "Cut the network between the etcd leader and the others.", plan_both_ways, FROZEN_OR_CUT
)
ONE_WAY = Drill("one-way-cut", "Drop what the etcd leader receives from the others.", plan_one_way, FROZEN_OR_CUT)
LOSSY = Drill("lossy-network", "Lose 30 % of the packets the etcd leader receives from the others.", plan_lossy)
