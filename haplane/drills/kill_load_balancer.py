"""A load balancer loses its power, by default the one that holds the endpoint's address."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.story import Fault, Scene, Story, endpoint_holder, host_of, power_cut
from haplane.errors import Refused


def plan(scene: Scene, status: Status, wanted: str | None) -> Fault:
    """The power of the one that is chosen. Raises Refused when there is only one."""
    return power_cut(scene, status, *chosen(scene, status, wanted))


def chosen(scene: Scene, status: Status, wanted: str | None) -> tuple[str, str]:
    """The load balancer asked for, or else the holder of the address, and which of the two roles it has."""
    balancers = scene.inventory.balancer_hosts
    if len(balancers) < 2:
        raise Refused(
            "there is no second load balancer to take over",
            where=scene.inventory.path,
            why="without one this drill is a plain outage of the endpoint for as long as it lasts",
        )
    holder = endpoint_holder(status)
    host = host_of(balancers, wanted or holder or balancers[0].name, "a load balancer")
    return host, "the load balancer that holds the address" if host == holder else "a standby load balancer"


STORY = Story(
    "kill-load-balancer",
    "Cut the power of one load balancer, HOST or the one that holds the endpoint's address.",
    plan,
)
