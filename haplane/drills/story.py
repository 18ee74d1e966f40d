"""What a drill is: a fault that is planned, announced, applied, watched and always undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haplane.config.model import Host, Inventory
from haplane.domain.progress import Progress
from haplane.domain.quorum import MemberState, may_stop
from haplane.domain.status import MemberStatus, Status
from haplane.drills.client import Target
from haplane.errors import BadInput, Refused
from haplane.lab.driver import Machines


@dataclass(frozen=True)
class Scene:
    """All a drill may use. ``look`` observes the cluster anew with every call."""

    inventory: Inventory
    machines: Machines
    look: Callable[[], Status]
    target: Target
    progress: Progress


@dataclass(frozen=True)
class Fault:
    """One outage, decided but not begun. ``announcement`` is a sentence; ``undo`` also follows half an ``apply``.

    ``role`` is what the host is at this moment, as in "the load balancer that holds the address".
    """

    host: str
    role: str
    announcement: str
    apply: Callable[[], None]
    undo: Callable[[], None]


@dataclass(frozen=True)
class Story:
    """A drill by name. ``plan`` takes the scene, the cluster's status just now, and the host asked for, if any."""

    name: str
    summary: str
    plan: Callable[[Scene, Status, str | None], Fault]


def power_cut(scene: Scene, status: Status, host: str, role: str) -> Fault:
    """The fault most stories are made of: one machine loses its power and gets it back.

    Raises Refused where that would be the end of all service and so prove nothing.
    """
    if reason := why_fatal(scene.inventory, status, host):
        raise Refused(
            f"without {host} nothing would be left to serve", where=scene.inventory.cluster.name, why=reason
        )
    return Fault(
        host=host,
        role=role,
        announcement=f"The power of {host} ({role}) is cut, and switched on again once service has recovered.",
        apply=lambda: scene.machines.kill((host,)),
        undo=lambda: scene.machines.start((host,)),
    )


def why_fatal(inventory: Inventory, status: Status, host: str) -> str | None:
    """Why the cluster cannot do without this host, or None."""
    members = {member.name: _state(member) for member in status.etcd.members}
    if host in members and not (verdict := may_stop(members, host)).allowed:
        return verdict.arithmetic
    if [master.name for master in inventory.masters] == [host]:
        return "it is the only master"
    return None


def _state(member: MemberStatus) -> MemberState:
    if member.learner:
        return MemberState.LEARNER
    return MemberState.HEALTHY if member.healthy else MemberState.UNHEALTHY


def host_of(hosts: tuple[Host, ...], wanted: str, what: str) -> str:
    """The name asked for. Raises BadInput, listing the right ones, when no host in ``hosts`` has it."""
    names = [host.name for host in hosts]
    if wanted not in names:
        raise BadInput(f"{wanted} is not {what}", where="HOST", next_step=f"choose one of {', '.join(names)}")
    return wanted


def etcd_leader(status: Status) -> str | None:
    """The host whose etcd member leads, None while there is an election."""
    return next((member.name for member in status.etcd.members if member.leader), None)


def endpoint_holder(status: Status) -> str | None:
    """The load balancer that holds the endpoint's address, None while it moves."""
    return next((balancer.name for balancer in status.load_balancers if balancer.holds_endpoint), None)
