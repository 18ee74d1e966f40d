"""haproxy, keepalived and the packet filter before it: the endpoint every client knows."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import release_address, start_balancer
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.domain.steps.host import BALANCER_PARTS


def start_balancers(context: Context) -> None:
    """The ones that are not up or whose configuration changed. A reload cuts no connection.

    A leaving one gives the address up first; one that starts has to hear those that run already.
    """
    context.deploy([host for host in context.hosts(Kind.DECOMMISSION) if _holds(context, host)], release_address)
    hosts = context.hosts(Kind.BALANCER)
    running = [host for host in hosts if _holds(context, host)]
    for group in (running, [host for host in hosts if host not in running]):
        flushed = [host.name for host in group if context.report(host).balancer.adverts_filtered is False]
        changed = {Part.VRRP_FILTER.value: flushed}
        context.deploy(group, start_balancer, paths_of=paths_of(context, group), changed_of=changed)


def _holds(context: Context, host: Host) -> bool:
    """Whether it holds the endpoint's address, or may do so any moment."""
    report = context.observation.reports.get(host.name)
    return report is not None and "keepalived" in report.units and report.units["keepalived"].active


def paths_of(context: Context, hosts: Sequence[Host]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By unit and host, what the unit reads when it is loaded: haproxy its keys too, where it dials etcd."""
    files = {part.value: context.paths(hosts, part) for part in BALANCER_PARTS}
    for host in hosts:
        if host_paths.ETCD_HAPROXY_PEM in context.wants[host.name].identity:
            files[Part.HAPROXY.value][host.name] += host_paths.HAPROXY_ETCD_KEYS
    return files


START_BALANCERS = Phase("Start load balancers", (Kind.BALANCER,), start_balancers, also_after=(Kind.DECOMMISSION,))
