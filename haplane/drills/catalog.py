"""Every drill there is, by name."""

from __future__ import annotations

from haplane.drills import kill_etcd_leader, kill_haproxy, kill_load_balancer, kill_master
from haplane.drills.story import Story

STORIES: dict[str, Story] = {
    module.STORY.name: module.STORY for module in (kill_master, kill_etcd_leader, kill_load_balancer, kill_haproxy)
}
