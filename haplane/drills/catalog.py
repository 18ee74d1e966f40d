"""Every drill there is, by name."""

from __future__ import annotations

from haplane.drills import kill_etcd_leader, kill_load_balancer, kill_master
from haplane.drills.story import Story

STORIES: dict[str, Story] = {
    story.name: story for story in (kill_master.STORY, kill_load_balancer.STORY, kill_etcd_leader.STORY)
}
