"""The host of the etcd leader loses its power: writes wait for an election."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, power_cut
from haplane.drills.targets import the_leader


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The leader's host."""
    return power_cut(context, status, the_leader(context, status, wanted), "the host of the etcd leader")


DRILL = Drill("kill-etcd-leader", "Cut the power of the etcd leader's host.", plan)
