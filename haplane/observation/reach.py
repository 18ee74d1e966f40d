"""Connect hosts to each other on the ports that they will use, while one of them is still fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain.reach import Layout, blocked, connections, listening
from haplane.errors import HaplaneError, UnfitHosts

REACH_SECONDS = 6.0
"""Where something is in the way; else a host is done once it has reached all others, and they it."""


def refuse_blocked_ports(context: Context) -> None:
    """Raises UnfitHosts with every port that a host does not get to on another, and which hosts."""
    hosts = context.reachable(context.inventory.hosts)
    fresh = frozenset(str(host.address) for host in hosts if context.report(host).fresh)
    if not fresh or len(hosts) < 2:
        return
    layout = _layout(context)
    request = {
        "listen": {address: ports if address in fresh else () for address, ports in listening(layout, fresh).items()},
        "connect": connections(layout, fresh),
        "seconds": REACH_SECONDS,
    }
    context.progress(", ".join(host.name for host in hosts), "connecting to each other")
    before = _blocked(context, hosts, request, layout)
    if before:
        seen = {error.what for error in before}  # a host that was busy for a moment is no firewall
        if found := [error for error in _blocked(context, hosts, request, layout) if error.what in seen]:
            raise UnfitHosts("hosts do not reach each other; nothing was changed", found)


def _blocked(
    context: Context, hosts: Sequence[Host], request: Mapping[str, object], layout: Layout
) -> list[HaplaneError]:
    names = {str(host.address): host.name for host in hosts}
    values = context.executor.reach(hosts, request).values
    answers = {str(host.address): values[host.name] for host in hosts if host.name in values}
    return blocked(names, answers, layout=layout)


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
        vxlan=cluster.pod_network_manifest is None and cluster.flannel_backend == "vxlan",
    )


REFUSE_BLOCKED_PORTS = Look("Refuse hosts that do not reach each other", refuse_blocked_ports)
