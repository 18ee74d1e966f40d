"""Etcd's members, one change after the other: what is lost goes, what is new comes as a learner and is promoted."""

from __future__ import annotations

import time

from haplane.config.model import Host
from haplane.deploys import recipes
from haplane.desired.files import etcd_start, peer_url
from haplane.domain.membership import Act, Blocked, Change, next_change
from haplane.domain.observed import listed_members
from haplane.domain.plan import APISERVER_MANIFEST, Kind
from haplane.errors import HaplaneError
from haplane.phases.membership import current, refused
from haplane.phases.observe import observe
from haplane.phases.phase import Phase, Run, pause
from haplane.phases.rolling import put_back, take_out
from haplane.remote.session import deploy

PATIENCE_SECONDS = 60.0
MOST_CHANGES = 60
"""More than any inventory can need: whoever undoes what we do is not to keep us here for ever."""


def change_members(run: Run) -> None:
    """Until the members are as wanted, or only leaving ones are left to go. Each change is decided on a new look.

    Raises Refused when the next one would not be safe.
    """
    out: dict[str, Host] = {}
    for _ in range(MOST_CHANGES):
        change = look(run)
        if change is None or change.act is Act.LEAVE:
            break
        run.progress(change.name or "etcd", change.act.value)
        _take_out_of_service(run, change, out)
        CARRY_OUT[change.act](run, change)
    else:
        raise HaplaneError("etcd's members do not become as wanted", next_step="run `haplane status`, then again")
    for host in out.values():
        put_back(run, host)


def look(run: Run) -> Change | None:
    """The next change. What must not be is looked at again for PATIENCE_SECONDS: on a busy machine members are late.

    Raises Refused when it still must not be.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        observe(run)
        found = next_change(current(run))
        if not isinstance(found, Blocked):
            return found
        if time.monotonic() >= deadline:
            raise refused(found, run.inventory.path)
        pause(run, "etcd", f"waiting: {found.what} ({found.why})")


def _take_out_of_service(run: Run, change: Change, out: dict[str, Host]) -> None:
    """Before a master's member goes, its API server does: drained, and ended by itself."""
    masters = {host.name: host for host in run.reachable(run.inventory.masters)}
    host = masters.get(change.name)
    if host is None or host.name in out or change.act not in (Act.REMOVE, Act.ADD):
        return
    if APISERVER_MANIFEST in run.report(host).files:
        take_out(run, host)
        out[host.name] = host


def remove(run: Run, change: Change) -> None:
    """Off the list; one that still serves has handed over leadership before."""
    host = next((host for host in run.inventory.everyone if host.name == change.name), None)
    if host is not None and host.name in run.observation.reports and run.report(host).etcd.status is not None:
        deploy([host], recipes.hand_over, run.progress)
    deploy([teller(run, change.id)], recipes.remove_member, run.progress, member=f"{change.id:x}")
    run.condemned -= {change.name}


def _add(run: Run, change: Change) -> None:
    """The host's old data aside, then onto the list as a learner."""
    host = run.inventory.host(change.name)
    deploy([host], recipes.set_etcd_data_aside, run.progress, stamp=run.now().strftime("%Y%m%dT%H%M%SZ"))
    deploy([teller(run)], recipes.add_learner, run.progress, member=host.name, peer_url=peer_url(host))


def _start(run: Run, change: Change) -> None:
    """With the list as it is now, itself included."""
    host = run.inventory.host(change.name)
    told = listed_members(run.observation.reports.values())
    members = {member.name: member.peer_urls[0] for member in told if member.name and member.peer_urls}
    drop_in = etcd_start("existing", {**members, host.name: peer_url(host)})
    deploy([host], recipes.start_learner, run.progress, drop_in=drop_in)


def _promote(run: Run, change: Change) -> None:
    """As soon as it has caught up, which takes as long as its data take to copy."""
    deploy([teller(run)], recipes.promote_learner, run.progress, member=f"{change.id:x}")
    deploy([run.inventory.host(change.name)], recipes.settle_member, run.progress)


def _disarm(run: Run, change: Change) -> None:
    deploy([teller(run)], recipes.disarm, run.progress)


CARRY_OUT = {
    Act.REMOVE: remove,
    Act.ADD: _add,
    Act.START: _start,
    Act.PROMOTE: _promote,
    Act.DISARM: _disarm,
}


def teller(run: Run, without: int = 0) -> Host:
    """A host whose member serves and is not that one: it is told what is to change."""
    for host in run.reachable((*run.inventory.etcd, *run.inventory.leaving)):
        etcd = run.report(host).etcd
        voter = etcd.status is not None and not etcd.status.is_learner and etcd.status.header.member_id != without
        if voter and etcd.reads_through_quorum and host.name not in run.condemned:
            return host
    raise HaplaneError("no other etcd member serves", next_step=f"haplane status {run.inventory.path}")


CHANGE_MEMBERS = Phase("Change etcd's members, one at a time", (Kind.MEMBERS,), change_members)
