"""haproxy and keepalived: the endpoint every client knows."""

from __future__ import annotations

from haplane.deploys.recipes import start_balancer
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def start_balancers(run: Run) -> None:
    """The ones that are not up or whose configuration changed. A reload cuts no connection."""
    hosts = run.hosts(Kind.BALANCER)
    units = {host.name: run.plan.items(host.name, Kind.BALANCER) for host in hosts}
    deploy(hosts, start_balancer, run.progress, units_of=units)


START_BALANCERS = Phase("Start load balancers", (Kind.BALANCER,), start_balancers)
