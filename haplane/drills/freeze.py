"""etcd or haproxy stops running without dying: connections stay open and nothing responds. Three drills."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, refuse_fatal, shell
from haplane.drills.limits import Limits
from haplane.drills.targets import a_balancer, a_follower, the_leader
from haplane.scripts import script

FOUND_SECONDS = 12.0
"""keepalived asks haproxy every 2 s, waits 1.5 s for an answer, and believes two failures in a row
(templates/keepalived.conf.j2, haproxy-works.j2), because a haproxy that is merely busy must not lose the address; the
rest is for the check to start on a busy host, and for VRRP.
"""


def plan_leader(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The leader is frozen."""
    return _frozen_member(context, status, the_leader(context, status, wanted), "the etcd leader")


def plan_follower(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """A follower is frozen."""
    return _frozen_member(context, status, a_follower(context, status, wanted), "an etcd follower")


def plan_haproxy(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """On the load balancer that was named, or the holder of the address."""
    return _frozen(context, *a_balancer(context, status, wanted), "haproxy")


def _frozen_member(context: DrillContext, status: Status, name: str, role: str) -> Fault:
    refuse_fatal(context, status, name)
    return _frozen(context, name, role, "etcd")


def _frozen(context: DrillContext, name: str, role: str, unit: str) -> Fault:
    stop, resume = (script("signal_unit", unit=unit, signal=signal) for signal in ("STOP", "CONT"))
    return Fault(
        host=name,
        role=role,
        announcement=f"It freezes {unit} on {name} ({role}; SIGSTOP) and resumes it once service has recovered.",
        parts=(shell(context.inventory.host(name), stop, resume),),
        at_least=15.0,
    )


LEADER = Drill(
    "freeze-etcd-leader", "Freeze the etcd leader's process (SIGSTOP).", plan_leader, Limits(read_gap=3, write_gap=3)
)
FOLLOWER = Drill("freeze-follower", "Freeze the process of one etcd follower (SIGSTOP), HOST or any.", plan_follower)
HAPROXY = Drill(
    "freeze-haproxy",
    "Freeze haproxy (SIGSTOP) on load balancer HOST or the one that holds the endpoint's address.",
    plan_haproxy,
    Limits(read_gap=FOUND_SECONDS, write_gap=FOUND_SECONDS),
)
