"""Hosts in the group `leaving`, one at a time: drained, stopped, removed from etcd and Kubernetes, then reset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.deploys import recipes
from haplane.domain import host_paths
from haplane.domain.drain.cost import Effect
from haplane.domain.drain.summary import NodeCost
from haplane.domain.guard import may_restart_apiserver
from haplane.domain.membership import Blocked, Change
from haplane.domain.membership import leave as next_leave
from haplane.domain.plan import Kind
from haplane.domain.timestamps import timestamp
from haplane.observation.drain_costs import costs_of, refuse_deadlocks, refuse_losses
from haplane.observation.guard import refuse_unless
from haplane.observation.membership import await_change, current, refuse_living_masters
from haplane.observation.nodes import nodes_among, require_nodes
from haplane.observation.observe import observe
from haplane.procedures.drain_node import drain_node
from haplane.procedures.remove_member import remove_member
from haplane.procedures.reset_hosts import reset_hosts

NOT_KNOWN = "the cost of its drain is unknown because no API server is ready; a drain that loses data is refused"


def list_costs(context: Context) -> None:
    """What every pod of the hosts that are decommissioned pays, as the plan's headline.

    Raises Refused as `haplane node drain` does. Where a node is added, a pod without a place may get one by the time
    that the host is drained, which refuses then what is left; what is lost is refused now.
    """
    leaving = context.hosts(Kind.DECOMMISSION)
    drained = [host for host in leaving if _runs_pods(context, host)]
    if not drained:
        lines: tuple[str, ...] = ()
    elif context.has_ready_api_server():
        names = [host.name for host in nodes_among(context, drained)]
        costs = costs_of(context, names, [host.name for host in leaving])
        _refuse(context, costs)
        lines = tuple(text for one in costs for text in one.lines())
    else:
        lines = tuple(f"{host.name}: {NOT_KNOWN}" for host in drained)
    context.adopt(replace(context.decision, headline=lines))


def _refuse(context: Context, costs: Sequence[NodeCost]) -> None:
    if context.plan.of(Kind.INITIALISE, Kind.JOIN):
        costs = [replace(one, costs=one.of(Effect.LOST)) for one in costs]
    refuse_deadlocks(context, costs)
    refuse_losses(context, costs, _agree(context, [one.node for one in costs if one.needs_force]))


def _agree(context: Context, names: Sequence[str]) -> str:
    return f"`haplane node drain {context.inventory.path} {' '.join(names)} --force`, then re-run"


def _runs_pods(context: Context, host: Host) -> bool:
    """Whether it answers and is a master still: one that was stopped by an interrupted run was drained before."""
    return bool(context.reachable([host])) and host_paths.APISERVER_MANIFEST in context.report(host).files


def decommission(context: Context) -> None:
    """One host after the other. The load balancers have sent it nothing new since they were started."""
    hosts = context.hosts(Kind.DECOMMISSION)
    for host in hosts:
        observe(context)
        reached = context.reachable([host])
        if not reached:
            refuse_living_masters(context)  # its pods are deleted by force: not while the masters report it as Ready
        if _runs_pods(context, host):
            refuse_unless(context, host, (*context.inventory.masters, host), may_restart_apiserver)
            require_nodes(context)
            if nodes_among(context, [host]):
                out = [one.name for one in hosts]
                drain_node(context, host, "decommission", out=out, agree=_agree(context, [host.name]))
            context.deploy([host], recipes.stop_control_plane)
        _leave_etcd(context, host)
        context.deploy([context.some_master()], recipes.delete_node, node=host.name)
        if reached:
            reset_hosts(context, [host], timestamp(context.now()))


def _leave_etcd(context: Context, host: Host) -> None:
    """As soon as it may: a member that has just come up may not have been seen to serve yet."""
    change = await_change(context, lambda: _change(context, host))
    if change is not None:
        remove_member(context, change)
        observe(context)


def _change(context: Context, host: Host) -> Change | Blocked | None:
    member = next((one for one in current(context).voters if one.address == str(host.address)), None)
    return next_leave(current(context), member) if member is not None else None


LIST_COSTS = Look("List what decommissioning hosts costs", list_costs)
DECOMMISSION = Phase("Decommission hosts, one at a time", (Kind.DECOMMISSION,), decommission)
