"""A member taken off etcd's list."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.deploys import etcd_recipes
from haplane.domain.membership import Change
from haplane.observation.membership import any_healthy_voter


def remove_member(context: Context, change: Change) -> None:
    """One that still serves has handed over leadership before."""
    host = next((host for host in context.inventory.everyone if host.name == change.name), None)
    if host is not None and host.name in context.observation.reports and context.report(host).etcd.status is not None:
        context.deploy([host], etcd_recipes.hand_over)
    context.deploy([any_healthy_voter(context, change.id)], etcd_recipes.remove_member, member=f"{change.id:x}")
