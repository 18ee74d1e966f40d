"""etcd stops running without dying: its connections stay open and nothing responds. Two drills."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, refuse_fatal, shell
from haplane.drills.limits import Limits
from haplane.drills.targets import a_follower, the_leader
from haplane.scripts import script


def plan_leader(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The leader is frozen."""
    return _frozen(context, status, the_leader(context, status, wanted), "the etcd leader")


def plan_follower(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """A follower is frozen."""
    return _frozen(context, status, a_follower(context, status, wanted), "an etcd follower")


def _frozen(context: DrillContext, status: Status, name: str, role: str) -> Fault:
    refuse_fatal(context, status, name)
    stop, resume = (script("signal_etcd", signal=signal) for signal in ("STOP", "CONT"))
    return Fault(
        host=name,
        role=role,
        announcement=f"It freezes etcd on {name} ({role}; SIGSTOP) and resumes it once service has recovered.",
        parts=(shell(context.inventory.host(name), stop, resume),),
        at_least=15.0,
    )


LEADER = Drill(
    "freeze-etcd-leader", "Freeze the etcd leader's process (SIGSTOP).", plan_leader, Limits(read_gap=3, write_gap=3)
)
FOLLOWER = Drill("freeze-follower", "Freeze the process of one etcd follower (SIGSTOP), HOST or any.", plan_follower)
