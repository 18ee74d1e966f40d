"""A master loses its power."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, power_cut
from haplane.drills.targets import a_master


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The master that was named, or else one that does not lead etcd: kill-etcd-leader is that drill."""
    return power_cut(context, status, *a_master(context, status, wanted))


DRILL = Drill("kill-master", "Cut the power of one master: HOST, or one that does not lead etcd.", plan)
