"""Load balancers, and what they serve."""

from __future__ import annotations

from haplane.domain.observed import Observation
from haplane.domain.status.model import BalancerStatus, Roster, problem


def balancer_status(name: str, observation: Observation) -> BalancerStatus:
    """A load balancer as it reported itself; one that did not is unreachable."""
    report = observation.reports.get(name)
    return BalancerStatus(
        name=name,
        reachable=report is not None,
        haproxy=report is not None and report.balancer.servers is not None,
        holds_endpoint=report is not None and report.balancer.holds_endpoint,
        adverts_filtered=report.balancer.adverts_filtered if report is not None else None,
    )


def balancer_problems(roster: Roster, balancers: tuple[BalancerStatus, ...]) -> list[str]:
    """What is wrong with haproxy and with who holds the endpoint's address."""
    found = [f"{one.name}: haproxy is not responding" for one in balancers if one.reachable and not one.haproxy]
    holders = [one.name for one in balancers if one.holds_endpoint]
    found += [
        problem(
            f"{one.name}: VRRP adverts of any host reach keepalived",
            why="the nftables table haplane_vrrp was removed",
            fix=f"`haplane up {roster.inventory}`",
        )
        for one in balancers
        if one.adverts_filtered is False
    ]
    if len(holders) > 1:
        found.append(f"{' and '.join(holders)} both hold the endpoint's address")
    if balancers and not holders and not roster.endpoint_is_external:
        found.append("no load balancer holds the endpoint's address")
    return found


def unserved_masters(roster: Roster, observation: Observation) -> list[str]:
    """Ready API servers that a load balancer sends nothing to, or no longer checks."""
    ready = {name for name in roster.masters if name in observation.reports}
    ready = {name for name in ready if observation.reports[name].apiserver.ready}
    return [
        f"{name} {'does not check' if server.status == 'no check' else 'sends nothing to'} {server.name}"
        f" ({server.status})"
        for name in roster.balancers
        if name in observation.reports
        for server in observation.reports[name].balancer.servers or ()
        if server.backend == "apiservers" and server.name in ready and not server.status.startswith("UP")
    ]
