"""haproxy and keepalived: the endpoint every client knows."""

from __future__ import annotations

from haplane.deploys.recipes import start_balancer
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def start_balancers(run: Run) -> None:
    """The ones that are not up or whose configuration changed. A reload cuts no connection."""
    hosts = run.hosts(Kind.BALANCER)
    paths_of = {part.value: run.paths(hosts, part) for part in (Part.HAPROXY, Part.KEEPALIVED)}
    deploy(hosts, start_balancer, run.progress, paths_of=paths_of)


START_BALANCERS = Phase("Start load balancers", (Kind.BALANCER,), start_balancers)
