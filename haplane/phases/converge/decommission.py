"""Hosts in the group `leaving`, one at a time: drained, stopped, removed from etcd and Kubernetes, then reset."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain import host_paths
from haplane.domain.guard import may_restart_apiserver
from haplane.domain.membership import Blocked, Change
from haplane.domain.membership import leave as next_leave
from haplane.domain.plan import Kind
from haplane.observation.membership import current, refuse_living_masters, refused
from haplane.observation.observe import observe
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.phases.converge.change_members import BLOCKED_SECONDS, remove
from haplane.phases.converge.rolling import refuse_unless
from haplane.phases.reset.reset_hosts import reset_hosts


def decommission(context: Context) -> None:
    """One host after the other. The load balancers have sent it nothing new since they were started."""
    for host in context.hosts(Kind.DECOMMISSION):
        observe(context)
        reached = context.reachable([host])
        if not reached:
            refuse_living_masters(context)  # its pods are deleted by force: not while the masters report it as Ready
        if reached and host_paths.APISERVER_MANIFEST in context.report(host).files:
            refuse_unless(context, host, (*context.inventory.masters, host), may_restart_apiserver)
            context.deploy([context.some_master()], recipes.drain_node, node=host.name)
            context.deploy([host], recipes.stop_control_plane)
        _leave_etcd(context, host)
        context.deploy([context.some_master()], recipes.delete_node, node=host.name)
        if reached:
            reset_hosts(context, [host], context.now().strftime("%Y%m%dT%H%M%SZ"))


def _leave_etcd(context: Context, host: Host) -> None:
    """As soon as it may: a member that has just come up may not have been seen to serve yet."""
    look_until_clear(context, lambda: _obstacle(context, host), BLOCKED_SECONDS)
    change = _change(context, host)
    if isinstance(change, Blocked):
        raise refused(change)
    if change is not None:
        remove(context, change)
        observe(context)


def _obstacle(context: Context, host: Host) -> Obstacle | None:
    change = _change(context, host)
    return Obstacle("etcd", f"waiting: {change.what} ({change.why})") if isinstance(change, Blocked) else None


def _change(context: Context, host: Host) -> Change | Blocked | None:
    member = next((one for one in current(context).voters if one.address == str(host.address)), None)
    return next_leave(current(context), member) if member is not None else None


DECOMMISSION = Phase("Decommission hosts, one at a time", (Kind.DECOMMISSION,), decommission)
