"""etcd's members, one at a time, the leader last."""

from __future__ import annotations

from functools import partial

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import etcd_recipes, recipes
from haplane.domain.guard import may_restart_etcd, where_others_carry_on
from haplane.domain.plan import Kind
from haplane.domain.upgrade_etcd import starts_again
from haplane.domain.upgrade_plan import Group
from haplane.procedures.out_of_service import undrain
from haplane.procedures.restart import restart_member
from haplane.procedures.switch import switching
from haplane.procedures.timed import timed


def upgrade_members(context: Context) -> None:
    """Each reads through quorum in its new version, and its master's API server is ready, before the next."""
    guard = where_others_carry_on(may_restart_etcd, len(context.inventory.etcd))
    for host in sorted(context.hosts(Kind.UPGRADE_ETCD), key=lambda one: context.report(one).etcd.leads):
        again, stays = partial(_start_again, context, host), partial(_why_new_one_stays, context, host)
        with (
            timed(context, host.name, Kind.UPGRADE_ETCD),
            switching(context, host, Group.ETCD, again, stays=stays) as begin,
        ):
            restart_member(context, host, before=begin, guard=guard)


def _start_again(context: Context, host: Host) -> None:
    """In its old version."""
    context.deploy([host], etcd_recipes.restart_etcd)
    if host in context.inventory.masters:
        context.deploy([host], recipes.wait_for_apiserver, port=context.inventory.cluster.apiserver_port)
        undrain(context, host)


def _why_new_one_stays(context: Context, host: Host) -> str | None:
    """As members were seen before this one was switched."""
    new = context.manifest.etcd_version
    statuses = {one.name: context.report(one).etcd.status for one in context.reachable(context.inventory.etcd)}
    versions = {name: status.version for name, status in statuses.items() if status is not None}
    old = versions.pop(host.name, "")
    if starts_again(old, new, versions.values()):
        return None
    return f"no other member runs an older etcd than {new}, so an older one would not start"


UPGRADE_ETCD = Phase("Upgrade etcd, one member at a time", (Kind.UPGRADE_ETCD,), upgrade_members)
