"""Connect hosts to each other on the ports that they will use, while one of them is still fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain.observed import LeftOut
from haplane.domain.reach import (
    Blocked,
    Layout,
    Target,
    blocked,
    confirmed,
    connections,
    described,
    ends_to_leave_out,
    listening,
    without_ends,
)
from haplane.errors import UnfitHosts
from haplane.observation.observe import cluster_exists, leave_out


class Request(TypedDict):
    """As facts/on_host/reach.py has it."""

    listen: Mapping[str, Sequence[tuple[str, int]]]
    connect: Mapping[str, Sequence[Target]]
    seconds: float


REACH_SECONDS = 6.0
"""Where something is in the way; else a host is done once it has reached all others, and they it."""


def refuse_blocked_ports(context: Context) -> None:
    """Raises UnfitHosts with every port that a host does not get to on another, and which hosts.

    Where a cluster exists, workers and load balancers are left out instead.
    """
    hosts = context.reachable(context.inventory.hosts)
    fresh = frozenset(str(host.address) for host in hosts if context.report(host).fresh)
    if not fresh or len(hosts) < 2:
        return
    layout = _layout(context)
    request: Request = {
        "listen": {address: ports if address in fresh else () for address, ports in listening(layout, fresh).items()},
        "connect": connections(layout, fresh),
        "seconds": REACH_SECONDS,
    }
    context.progress(", ".join(host.name for host in hosts), "connecting to each other")
    if first := _blocked(context, hosts, request):
        found = confirmed(first, _blocked(context, hosts, request))
        names = {str(host.address): host.name for host in hosts}
        if cluster_exists(context):
            found = _leave_ends_out(context, found, names, layout)
        if found:
            errors = [described(one, names, layout) for one in found]
            raise UnfitHosts("hosts do not reach each other; nothing was changed", errors)


def _leave_ends_out(
    context: Context, found: Sequence[Blocked], names: Mapping[str, str], layout: Layout
) -> tuple[Blocked, ...]:
    """What is left between masters and members, once those others that take part in the rest are left out."""
    needed = {str(host.address) for host in context.inventory.masters + context.inventory.etcd}
    ends = ends_to_leave_out(found, needed)
    errors = {names[end]: described(one, names, layout) for end, one in ends.items()}
    leave_out(context, {name: LeftOut(error.what, str(error.next_step)) for name, error in errors.items()})
    return without_ends(found, ends)


def _blocked(context: Context, hosts: Sequence[Host], request: Request) -> tuple[Blocked, ...]:
    values = context.executor.reach(hosts, {**request}).values
    answers = {str(host.address): values[host.name] for host in hosts if host.name in values}
    return blocked(answers, request["connect"])


def _layout(context: Context) -> Layout:
    inventory, cluster = context.inventory, context.inventory.cluster

    def addresses(group: str) -> tuple[str, ...]:
        return tuple(str(host.address) for host in context.reachable(getattr(inventory, group)))

    return Layout(
        masters=addresses("masters"),
        etcd=addresses("etcd"),
        balancers=addresses("balancer_hosts"),
        workers=addresses("workers"),
        apiserver_port=cluster.apiserver_port,
        endpoint_port=cluster.endpoint.port,
        unfiltered=tuple(
            str(host.address)
            for host in context.reachable(inventory.balancer_hosts)
            if not context.report(host).balancer.adverts_filtered
        ),
        vxlan=cluster.pod_network_manifest is None and cluster.flannel_backend == "vxlan",
    )


REFUSE_BLOCKED_PORTS = Look("Refuse hosts that do not reach each other", refuse_blocked_ports)
