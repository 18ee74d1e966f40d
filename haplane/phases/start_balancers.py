"""haproxy and keepalived: the endpoint every client knows."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.deploys.recipes import start_balancer
from haplane.domain.files import Part
from haplane.domain.plan import HAPROXY_CLIENT, HAPROXY_KEYS, Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def start_balancers(run: Run) -> None:
    """The ones that are not up or whose configuration changed. A reload cuts no connection."""
    hosts = run.hosts(Kind.BALANCER)
    deploy(hosts, start_balancer, run.progress, paths_of=paths_of(run, hosts))


def paths_of(run: Run, hosts: Sequence[Host]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By unit and host, what the unit reads when it is loaded: haproxy its keys too, where it dials etcd."""
    files = {part.value: run.paths(hosts, part) for part in (Part.HAPROXY, Part.KEEPALIVED)}
    for host in hosts:
        if HAPROXY_CLIENT in run.wants[host.name].identity:
            files[Part.HAPROXY.value][host.name] += HAPROXY_KEYS
    return files


START_BALANCERS = Phase("Start load balancers", (Kind.BALANCER,), start_balancers)
