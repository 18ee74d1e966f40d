"""The machine whose etcd member leads loses its power: writes wait for an election."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.story import Fault, Scene, Story, etcd_leader, host_of, power_cut
from haplane.errors import Refused


def plan(scene: Scene, status: Status, wanted: str | None) -> Fault:
    """The leader's machine. Raises Refused when there is none, or when another machine was asked for."""
    leader = etcd_leader(status)
    if leader is None:
        raise Refused("etcd has no leader to kill", where=scene.inventory.cluster.name, next_step="haplane status")
    if wanted is not None and host_of(scene.inventory.etcd, wanted, "an etcd machine") != leader:
        raise Refused(
            f"{wanted} does not lead etcd", why=f"{leader} does", next_step="leave HOST out, or name the leader"
        )
    return power_cut(scene, status, leader, "the machine whose member leads etcd")


STORY = Story("kill-etcd-leader", "Cut the power of the machine whose etcd member leads.", plan)
