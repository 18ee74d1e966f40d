"""Which host a drill is about."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.domain.status import Status
from haplane.drills.drill import DrillContext
from haplane.errors import BadInput, Refused


def host_of(hosts: tuple[Host, ...], wanted: str, what: str) -> str:
    """The name that was given. Raises BadInput, with the names of ``hosts``, when none of them has it."""
    names = [host.name for host in hosts]
    if wanted not in names:
        raise BadInput(f"{wanted} is not {what}", where="HOST", next_step=f"choose one of {', '.join(names)}")
    return wanted


def in_turn(names: Sequence[str], context: DrillContext) -> str | None:
    """Another one with each run of the series, None without any.

    A kubelet waits 10 s, then 20 s and so on before it starts a container again that has ended before within ten
    minutes (pkg/kubelet/kubelet.go), so five runs on one host would measure that.
    """
    return names[context.turn % len(names)] if names else None


def etcd_leader(status: Status) -> str | None:
    """The host whose etcd member leads, None while there is an election."""
    return next((member.name for member in status.etcd.members if member.leader), None)


def endpoint_holder(status: Status) -> str | None:
    """The load balancer that holds the endpoint's address, None while it moves."""
    return next((balancer.name for balancer in status.load_balancers if balancer.holds_endpoint), None)


def the_leader(context: DrillContext, status: Status, wanted: str | None) -> str:
    """The etcd leader's host. Raises Refused when there is none, or when another host was named."""
    leader = etcd_leader(status)
    if leader is None:
        raise Refused(
            "etcd has no leader",
            where=context.inventory.cluster.name,
            next_step=f"`haplane status {context.inventory.path}`",
        )
    if wanted is not None and host_of(context.inventory.etcd, wanted, "an etcd host") != leader:
        raise Refused(
            f"{wanted} is not the etcd leader", why=f"{leader} is", next_step="leave HOST out, or name the leader"
        )
    return leader


def a_follower(context: DrillContext, status: Status, wanted: str | None) -> str:
    """The member that was named, or one that does not lead. Raises Refused when there is no other, or it leads."""
    members, leader = context.inventory.etcd, etcd_leader(status)
    wanted = wanted or in_turn([host.name for host in members if host.name != leader], context)
    if wanted is None:
        raise Refused("etcd has one member, which leads", where=context.inventory.path)
    if host_of(members, wanted, "an etcd host") == leader:
        raise Refused(f"{wanted} is the etcd leader", next_step="leave HOST out, or name another member")
    return wanted


def a_master(context: DrillContext, status: Status, wanted: str | None) -> tuple[str, str]:
    """The master that was named, or one that does not lead etcd, and its role."""
    masters, leader = context.inventory.masters, etcd_leader(status)
    wanted = wanted or in_turn([host.name for host in masters if host.name != leader], context)
    host = host_of(masters, wanted or masters[0].name, "a master")
    return host, "a master that leads etcd" if host == leader else "a master"


def a_node(context: DrillContext, status: Status, wanted: str | None) -> tuple[str, str]:
    """The node that was named, a worker, or a master that does not lead etcd; and its role."""
    wanted = wanted or in_turn([worker.name for worker in context.inventory.workers], context)
    if wanted is None:
        return a_master(context, status, None)
    return host_of(context.inventory.nodes, wanted, "a node"), "a node"


def a_balancer(context: DrillContext, status: Status, wanted: str | None) -> tuple[str, str]:
    """The load balancer that was named, or else the holder of the address, and its role.

    Raises Refused when there is no second one.
    """
    balancers = context.inventory.balancer_hosts
    if len(balancers) < 2:
        raise Refused(
            "there is no second load balancer to take over the address",
            where=context.inventory.path,
            why="without one the endpoint is down for as long as the drill lasts",
        )
    holder = endpoint_holder(status)
    host = host_of(balancers, wanted or holder or balancers[0].name, "a load balancer")
    return host, "the load balancer that holds the address" if host == holder else "a standby load balancer"
