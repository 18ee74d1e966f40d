"""What a drill is: a fault that is planned, announced, applied, watched and always undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haplane.config.model import Host, Inventory
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.drills.client import Target
from haplane.errors import BadInput
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


def power_cut(scene: Scene, host: str, role: str) -> Fault:
    """The fault most stories are made of: one machine loses its power and gets it back."""
    return Fault(
        host=host,
        role=role,
        announcement=f"The power of {host} ({role}) is cut, and switched on again once service has recovered.",
        apply=lambda: scene.machines.kill((host,)),
        undo=lambda: scene.machines.start((host,)),
    )


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
