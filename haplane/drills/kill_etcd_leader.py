"""The machine whose etcd member leads loses its power: writes wait for an election."""

from __future__ import annotations

from haplane.drills.story import Fault, Scene, Sight, Story, host_of, power_cut
from haplane.errors import Refused


def plan(scene: Scene, sight: Sight, wanted: str | None) -> Fault:
    """The leader's machine. Raises Refused when there is none, or when another machine was asked for."""
    if sight.etcd_leader is None:
        raise Refused("etcd has no leader to kill", where=scene.inventory.cluster.name, next_step="haplane status")
    if wanted is not None and host_of(scene.inventory.etcd, wanted, "an etcd machine") != sight.etcd_leader:
        raise Refused(
            f"{wanted} does not lead etcd",
            why=f"{sight.etcd_leader} does",
            next_step="leave HOST out, or name the leader",
        )
    return power_cut(scene, sight.etcd_leader, "the machine whose member leads etcd")


STORY = Story("kill-etcd-leader", "Cut the power of the machine whose etcd member leads.", plan)
