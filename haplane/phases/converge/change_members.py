"""Etcd's members, one change after the other: what is lost goes, what is new comes as a learner and is promoted."""

from __future__ import annotations

from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import etcd_recipes
from haplane.desired.files import etcd_start, peer_url
from haplane.domain import host_paths
from haplane.domain.membership import Act, Change, next_change
from haplane.domain.observed import listed_members
from haplane.domain.plan import Kind
from haplane.domain.timestamps import timestamp
from haplane.errors import HaplaneError
from haplane.observation.membership import any_healthy_voter, await_change, current, refuse_full_disks
from haplane.observation.observe import observe
from haplane.procedures.out_of_service import put_back, take_out
from haplane.procedures.remove_member import remove_member

MOST_CHANGES = 60
"""More than any inventory can need: whoever undoes what we do is not to keep us here for ever."""


def change_members(context: Context) -> None:
    """Until the members are as wanted, or only leaving ones are left to go. Each change is decided on a new look.

    Raises Refused when the next one would not be safe.
    """
    out: dict[str, Host] = {}
    for _ in range(MOST_CHANGES):
        change = look(context)
        if change is None or change.act is Act.LEAVE:
            break
        refuse_full_disks(context, [change])
        context.progress(change.name or "etcd", change.act.value)
        _take_out_of_service(context, change, out)
        CARRY_OUT[change.act](context, change)
    else:
        raise HaplaneError(
            "etcd's members do not reach the planned state", next_step="see `haplane status INVENTORY`, then re-run"
        )
    for host in out.values():
        put_back(context, host)


def look(context: Context) -> Change | None:
    """The next change, on a new look. Raises Refused when it must not be made."""
    observe(context)
    return await_change(context, lambda: next_change(current(context)))


def _take_out_of_service(context: Context, change: Change, out: dict[str, Host]) -> None:
    """Before a master's member goes, its API server does: drained, and ended by itself."""
    masters = {host.name: host for host in context.reachable(context.inventory.masters)}
    host = masters.get(change.name)
    if host is None or host.name in out or change.act not in (Act.REMOVE, Act.ADD):
        return
    if host_paths.APISERVER_MANIFEST in context.report(host).files:
        take_out(context, host)
        out[host.name] = host


def _add(context: Context, change: Change) -> None:
    """Move the host's old data away, then add it to etcd's list as a learner."""
    host = context.inventory.host(change.name)
    context.deploy([host], etcd_recipes.move_etcd_data, timestamp=timestamp(context.now()))
    left = context.decision.data_to_discard - {change.name}
    context.adopt(replace(context.decision, data_to_discard=left))
    context.deploy([any_healthy_voter(context)], etcd_recipes.add_learner, member=host.name, peer_url=peer_url(host))


def _start(context: Context, change: Change) -> None:
    """With the list as it is now, itself included."""
    host = context.inventory.host(change.name)
    listed = listed_members(context.observation.reports.values())
    members = {member.name: member.peer_urls[0] for member in listed if member.name and member.peer_urls}
    drop_in = etcd_start("existing", {**members, host.name: peer_url(host)})
    context.deploy([host], etcd_recipes.start_learner, drop_in=drop_in)


def _promote(context: Context, change: Change) -> None:
    """As soon as it has caught up, which takes as long as its data take to copy."""
    context.deploy([any_healthy_voter(context)], etcd_recipes.promote_learner, member=f"{change.id:x}")
    context.deploy([context.inventory.host(change.name)], etcd_recipes.forbid_bootstrap)


def _disarm(context: Context, change: Change) -> None:
    context.deploy([any_healthy_voter(context)], etcd_recipes.clear_alarms)


CARRY_OUT = {
    Act.REMOVE: remove_member,
    Act.ADD: _add,
    Act.START: _start,
    Act.PROMOTE: _promote,
    Act.DISARM: _disarm,
}


CHANGE_MEMBERS = Phase("Change etcd's members, one at a time", (Kind.MEMBERS,), change_members)
