"""Hosts taken out of the cluster for good.

A worker is drained, its Node deleted, and it is reset. A master is decommissioned like one of the group ``leaving``,
and the load balancers and the other masters are converged to being without it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from haplane.config.model import Host, Inventory
from haplane.config.rules import MASTERS_ALLOWED
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.deploys import recipes
from haplane.domain import host_paths
from haplane.domain.plan import Kind, Plan, Step
from haplane.domain.timestamps import timestamp
from haplane.errors import Refused
from haplane.observation.drain_costs import costs_of, refuse_deadlocks, refuse_losses
from haplane.observation.nodes import nodes_among, require_nodes
from haplane.procedures.reset_hosts import reset_hosts

WHY = f"its Node deleted, its data and keys moved to {host_paths.RESET}"


def without(inventory: Inventory, names: tuple[str, ...]) -> Inventory:
    """The inventory with the masters of these names in the group ``leaving``.

    Raises Refused for hosts that are neither masters nor workers, for both at once, and unless 3 or 5 masters are
    left.
    """
    others = [host.name for host in inventory.hosts if host.name in names and host not in inventory.nodes]
    if others:
        raise Refused(
            f"{', '.join(others)}: neither a master nor a worker",
            where=inventory.path,
            next_step="a load balancer: delete its line, `haplane up INVENTORY`, then reset the host; "
            "an etcd host: move its line to `leaving`, then `haplane up INVENTORY`",
        )
    leaving = tuple(host for host in inventory.masters if host.name in names)
    if not leaving:
        return inventory
    if workers := [host.name for host in inventory.workers if host.name in names]:
        raise Refused(
            "workers and masters are removed by commands of their own",
            where=inventory.path,
            why=f"{', '.join(workers)}: workers; {', '.join(host.name for host in leaving)}: masters",
            next_step=f"`haplane node remove {inventory.path} {' '.join(workers)}` first",
        )
    masters = tuple(host for host in inventory.masters if host not in leaving)
    if len(masters) not in MASTERS_ALLOWED:
        raise Refused(
            f"{len(masters)} masters would be left; there have to be 3 or 5",
            where=inventory.path,
            why=f"{', '.join(host.name for host in leaving)} of {len(inventory.masters)} masters",
            next_step="to replace a master: move its line to `leaving`, add a new one to `masters`, then "
            "`haplane up INVENTORY`",
        )
    members = tuple(host for host in inventory.etcd if host not in leaving)
    return inventory.model_copy(
        update={"masters": masters, "etcd": members, "leaving": (*inventory.leaving, *leaving)}
    )


def decide_remove(context: Context) -> None:
    """The list of all hosts that go, and the steps of workers; those of masters are decided already.

    Raises as the drain's decision does.
    """
    require_nodes(context)
    inventory = context.inventory
    hosts = [host for host in inventory.everyone if host.name in context.request.named]
    nodes = [host.name for host in nodes_among(context, hosts)]
    costs = costs_of(context, nodes, nodes)
    refuse_deadlocks(context, costs)
    refuse_losses(context, costs)
    context.result.costs = costs
    dead = {host.name for host in hosts if not context.reachable([host])}
    _refuse_ready(context, dead)
    reached = [one for one in costs if one.node not in dead]
    steps = [Step(Kind.DRAIN, one.node, f"{len(one.costs)} pods, listed above") for one in reached]
    steps += [
        Step(Kind.REMOVE, host.name, WHY) for host in hosts if host in inventory.workers and _is_left(context, host)
    ]
    decided = [step for step in context.plan.steps if step.kind not in (Kind.DRAIN, Kind.REMOVE)]  # by a look before
    headline = tuple(text for one in costs for text in one.lines())
    context.adopt(replace(context.decision, plan=Plan((*decided, *steps)), headline=headline))


def _refuse_ready(context: Context, dead: Collection[str]) -> None:
    """Raises Refused for a host that does not answer and whose kubelet still reports: its pods may run on."""
    kubernetes = context.observation.kubernetes()
    if ready := [node.name for node in (kubernetes.nodes if kubernetes else ()) if node.name in dead and node.ready]:
        raise Refused(
            f"{', '.join(ready)}: not reachable over SSH, but its Node is Ready",
            why="its pods would be deleted by force, while they may still run",
            next_step="make it reachable, or power it off and wait until its Node is NotReady",
        )


def _is_left(context: Context, host: Host) -> bool:
    """Whether anything of the cluster is on the host, or of the host in the cluster."""
    reached = context.reachable([host])
    return bool(nodes_among(context, [host])) or any(not context.report(one).fresh for one in reached)


def remove_workers(context: Context) -> None:
    """One after the other; one that does not answer is removed from the cluster alone, its pods by force."""
    for host in context.hosts(Kind.REMOVE):
        context.deploy([context.some_master()], recipes.delete_node, node=host.name)
        if context.reachable([host]):
            reset_hosts(context, [host], timestamp(context.now()))
        else:
            context.result.warnings.append(
                f"{host.name} did not respond, so it was not reset: it has its keys, and joins again if it is started"
            )


DECIDE_REMOVE = Look("Decide what removing hosts costs", decide_remove)
REMOVE_WORKERS = Phase("Remove workers", (Kind.REMOVE,), remove_workers)
