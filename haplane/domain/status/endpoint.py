"""Problems of the endpoint: who holds its address, and who gets to an API server by it."""

from __future__ import annotations

from haplane.domain.observed import Observation
from haplane.domain.plan import few
from haplane.domain.problem import UP, Problem, on, problem
from haplane.domain.status.balancers import serves, spoiled_on
from haplane.domain.status.causes import continuing
from haplane.domain.status.model import Roster


def address_holders(roster: Roster, observation: Observation) -> list[Problem]:
    """Where several load balancers hold it, or none does though one would serve.

    A load balancer that could not be inspected, or was left out, may hold it.
    """
    reports, known = observation.reports, _inspected(roster, observation)
    holders = [name for name in known if reports[name].balancer.holds_endpoint]
    if len(holders) > 1:
        return [_several_hold_it(holders, roster, observation)]
    may_hold_it = (reports.keys() | observation.left_out.keys()) & set(roster.balancers) - set(known)
    if may_hold_it or roster.endpoint_is_external or not _is_free(roster, observation):
        return []
    return [_nobody_holds_it(roster, observation, everyone=len(known) == len(roster.balancers))]


def _inspected(roster: Roster, observation: Observation) -> list[str]:
    reports = observation.reports
    return [name for name in roster.balancers if name in reports and "balancer" not in reports[name].failed]


def _is_free(roster: Roster, observation: Observation) -> bool:
    """Whether none of those that could be inspected holds it, of which one would serve."""
    known = _inspected(roster, observation)
    held = any(observation.reports[name].balancer.holds_endpoint for name in known)
    return not held and any(serves(name, observation) for name in known)


def _several_hold_it(holders: list[str], roster: Roster, observation: Observation) -> Problem:
    """One that is stopped sends no adverts and keeps what it has."""
    what = f"{' and '.join(holders)} both hold the endpoint's address"
    for name in holders:
        if stopped := observation.reports[name].condition.stopped_of("keepalived"):
            why = f"keepalived on {name} is stopped and sends no adverts"
            return problem(what, why=why, fix=on(name, continuing(stopped)))
    if own := spoiled_on(holders, "keepalived", roster, observation):
        return problem(what, why=own, fix=UP)
    between = " and ".join(roster.addresses[name] for name in holders)
    fix = f"allow IP protocol 112 between {between}: `nft list ruleset` on each shows what drops it"
    return problem(what, why="neither receives the other's VRRP adverts", fix=fix)


def _nobody_holds_it(roster: Roster, observation: Observation, *, everyone: bool) -> Problem:
    """Where a load balancer does not respond it may be that one who has the address; else it is none of them."""
    if not everyone:
        return problem(
            "no load balancer that responds holds the endpoint's address",
            why="one that does not respond may hold it",
            fix=f"bring back {few([one for one in roster.balancers if one not in observation.reports])}, then {UP}",
        )
    reports = observation.reports
    seen_by = [name for name in roster.balancers if name in reports and reports[name].balancer.endpoint_answers]
    what = "no load balancer holds the endpoint's address"
    if not seen_by:
        return problem(what, fix=f"`haplane up {roster.inventory}`")
    address = roster.endpoint.rpartition(":")[0]
    why = f"seen from {', '.join(seen_by)}, another host answers at {address}"
    return problem(what, why=why, fix=f"find that host: on {seen_by[0]} `ip neighbour show {address}`")


def _is_held_by_nobody(roster: Roster, observation: Observation) -> bool:
    """By the word of every load balancer, none of which reaches another host at that address."""
    known = _inspected(roster, observation)
    answered = any(observation.reports[name].balancer.endpoint_answers for name in known)
    return len(known) == len(roster.balancers) and not answered and _is_free(roster, observation)


def endpoint_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Whom it would lead to, or what there is between."""
    what = f"the endpoint {roster.endpoint} is not ready"
    if not observation.with_ready_apiserver(roster.masters):
        return [problem(what, why="no API server is known to be ready", fix=UP)]
    if own := spoiled_on(roster.balancers, "haproxy", roster, observation):
        return [problem(what, why=own, fix=UP)]
    if _is_held_by_nobody(roster, observation):
        return [problem(what, why="no load balancer holds its address", fix=UP)]
    why = "API servers are ready, but the way to them is not"
    return [problem(what, why=why, fix=f"`curl -vk https://{roster.endpoint}/readyz` shows where a connection ends")]


def unreached_endpoint(roster: Roster, observation: Observation) -> list[Problem]:
    """Nodes that get no connection to an endpoint that serves others.

    They may be Ready all the same: a master's kubelet asks its own API server.
    """
    return [
        problem(
            f"{name}: it gets no connection to the endpoint: its kube-proxy learns of no change of services",
            why=report.balancer.endpoint_unreached,
            fix=on(name, f"curl -vk https://{roster.endpoint}/readyz") + " shows where a connection ends",
        )
        for name in (*roster.masters, *roster.workers)
        if (report := observation.reports.get(name)) is not None
        and report.balancer.endpoint_unreached
        and not report.kubelet.unserved
    ]
