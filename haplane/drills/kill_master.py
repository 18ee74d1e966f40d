"""A master loses its power."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.story import Fault, Scene, Story, etcd_leader, host_of, power_cut


def plan(scene: Scene, status: Status, wanted: str | None) -> Fault:
    """The master asked for, or else one that does not lead etcd: kill-etcd-leader is the other story."""
    masters, leader = scene.inventory.masters, etcd_leader(status)
    if wanted is None:
        wanted = next((host.name for host in masters if host.name != leader), masters[0].name)
    host = host_of(masters, wanted, "a master")
    return power_cut(scene, status, host, "a master that leads etcd" if host == leader else "a master")


STORY = Story("kill-master", "Cut the power of one master, HOST or any that does not lead etcd.", plan)
