"""Schedulers and controller managers restarted where none leads."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain.plan import Kind


def restart_controllers(context: Context) -> None:
    """Where nobody leads, one after the other; each is healthy before the next ends."""
    for host in context.hosts(Kind.LEAD):
        for component in context.plan.items(host.name, Kind.LEAD):
            context.deploy([host], recipes.restart_controller, component=component)


RESTART_CONTROLLERS = Phase(
    "Restart schedulers and controller managers that do not lead, one at a time", (Kind.LEAD,), restart_controllers
)
