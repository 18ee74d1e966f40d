"""Problems of load balancers and of the endpoint."""

from __future__ import annotations

from collections.abc import Iterable

from haplane.domain.balancer_report import APISERVERS, ETCD, Server
from haplane.domain.observed import Observation
from haplane.domain.plan import are, few
from haplane.domain.problem import UP, Problem, journal, on, problem
from haplane.domain.status.causes import continuing
from haplane.domain.status.model import BalancerStatus, Roster
from haplane.domain.status.own_files import changed_in, spoiled

MOST_CLIENTS = 0.9
KEEPALIVED = ("/etc/keepalived",)
"""Where a script that is not executable is one that checks nothing."""


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


def balancer_problems(
    roster: Roster, observation: Observation, balancers: tuple[BalancerStatus, ...]
) -> list[Problem]:
    """What is wrong with haproxy and with who holds the endpoint's address.

    A load balancer that could not be inspected, or was left out, may be well, and may hold it.
    """
    unknown = {name for name, report in observation.reports.items() if "balancer" in report.failed}
    known = [one for one in balancers if one.reachable and one.name not in unknown]
    found = [_not_responding(one.name, observation) for one in known if not one.haproxy]
    found += [_closed(one.name, roster) for one in known if one.haproxy and _is_closed(one.name, observation)]
    found += [_full(one.name, roster, observation) for one in known if _is_full(one.name, observation)]
    found += [_faulty(one.name, roster, observation) for one in known if _is_faulty(one.name, observation)]
    found += [_altered(one.name, roster) for one in known if _is_altered(one.name, roster, observation)]
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
        found.append(_several_hold_it(holders, roster, observation))
    may_hold_it = unknown.union(observation.left_out).intersection(roster.balancers)
    if known and not holders and not may_hold_it and not roster.endpoint_is_external:
        found.append(_nobody_holds_it(roster, observation, everyone=len(known) == len(balancers)))
    return found + _elsewhere(roster, observation)


def _several_hold_it(holders: list[str], roster: Roster, observation: Observation) -> Problem:
    """One that is stopped sends no adverts and keeps what it has."""
    what = f"{' and '.join(holders)} both hold the endpoint's address"
    for name in holders:
        if stopped := observation.reports[name].condition.stopped_of("keepalived"):
            why = f"keepalived on {name} is stopped and sends no adverts"
            return problem(what, why=why, fix=on(name, continuing(stopped)))
    if own := _spoiled_on(holders, "keepalived", roster, observation):
        return problem(what, why=own, fix=UP)
    between = " and ".join(roster.addresses[name] for name in holders)
    fix = f"allow IP protocol 112 between {between}: `nft list ruleset` on each shows what drops it"
    return problem(what, why="neither receives the other's VRRP adverts", fix=fix)


def _spoiled_on(names: Iterable[str], unit: str, roster: Roster, observation: Observation) -> str | None:
    """On which of these hosts that unit has files which are gone or not haplane's: what to end before all else."""
    known = ((name, observation.reports[name]) for name in names if name in observation.reports)
    found = ((name, spoiled(name, roster, report, unit)) for name, report in known)
    return next((f"on {name} {own}" for name, own in found if own), None)


def _not_responding(name: str, observation: Observation) -> Problem:
    """Haproxy that runs and does not answer hangs, and `up` sees nothing to start."""
    what, report = f"{name}: haproxy is not responding", observation.reports[name]
    if stopped := report.condition.stopped_of("haproxy"):
        return problem(what, why="it is stopped", fix=on(name, continuing(stopped)))
    unit = report.units.get("haproxy")
    runs = unit is not None and unit.active
    why = "it is running, but its admin socket does not respond" if runs else "it is not running"
    return problem(what, why=why, fix=on(name, "systemctl restart haproxy") if runs else UP)


def _is_closed(name: str, observation: Observation) -> bool:
    return observation.reports[name].balancer.accepts is False


def _closed(name: str, roster: Roster) -> Problem:
    """Haproxy itself runs: somebody has disabled its frontend, or a packet filter is before it."""
    port = roster.endpoint.rpartition(":")[2]
    return problem(
        f"{name}: its haproxy takes no connections to the endpoint's port",
        why="its frontend was disabled, or a packet filter drops them: it cannot take over the address",
        fix=on(name, f"systemctl restart haproxy && curl -k https://127.0.0.1:{port}/readyz"),
    )


def _is_faulty(name: str, observation: Observation) -> bool:
    """One whose haproxy takes no connections is in that state for that reason."""
    report = observation.reports[name]
    unit = report.units.get("keepalived")
    runs = unit is not None and unit.active
    return runs and report.balancer.vrrp == "FAULT" and report.balancer.accepts is not False


def _faulty(name: str, roster: Roster, observation: Observation) -> Problem:
    own = spoiled(name, roster, observation.reports[name], "keepalived")
    return problem(
        f"{name}: keepalived is in the state FAULT: it cannot take over the endpoint's address",
        why=own,
        fix=UP if own else journal(name, "keepalived"),
    )


def _is_altered(name: str, roster: Roster, observation: Observation) -> bool:
    """With files that are gone, or in the state FAULT, it has a line of its own."""
    unit = observation.reports[name].units.get("keepalived")
    return bool(unit and unit.active and changed_in(name, roster, KEEPALIVED)) and not _is_faulty(name, observation)


def _altered(name: str, roster: Roster) -> Problem:
    own = changed_in(name, roster, KEEPALIVED)
    return problem(
        f"{name}: keepalived may keep the endpoint's address when haproxy fails, or not take it over",
        why=f"{are(own)} not as haplane writes it",
        fix=UP,
    )


def _is_full(name: str, observation: Observation) -> bool:
    clients = observation.reports[name].balancer.clients
    return len(clients) == 2 and clients[0] >= MOST_CLIENTS * clients[1]


def _full(name: str, roster: Roster, observation: Observation) -> Problem:
    """By a limit that somebody set: of itself it takes as many as there are files."""
    report = observation.reports[name]
    own = spoiled(name, roster, report, "haproxy")
    counted = f"{report.balancer.clients[0]} of {report.balancer.clients[1]}"
    return problem(
        f"{name}: haproxy has nearly as many connections to the endpoint as it takes: others wait",
        why=f"{own}; {counted}" if own else counted,
        fix=UP if own else on(name, "systemctl restart haproxy"),
    )


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
    reports = observation.of(roster.balancers)
    told = [one.balancer for one in reports if "balancer" not in one.failed]
    return 0 < len(told) == len(roster.balancers) and not any(
        one.holds_endpoint or one.endpoint_answers for one in told
    )


def endpoint_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Whom it would lead to, or what there is between."""
    what = f"the endpoint {roster.endpoint} is not ready"
    if not observation.with_ready_apiserver(roster.masters):
        return [problem(what, why="no API server is known to be ready", fix=UP)]
    if own := _spoiled_on(roster.balancers, "haproxy", roster, observation):
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


def _elsewhere(roster: Roster, observation: Observation) -> list[Problem]:
    """haproxy.cfg of load balancers that names other hosts as masters, or one of them twice: all look UP."""
    masters = [roster.addresses[name] for name in roster.masters]
    found = []
    for name in roster.balancers:
        balanced = observation.reports[name].balancer.balanced if name in observation.reports else ()
        if wrong := [one for one in dict.fromkeys(balanced) if one not in masters or balanced.count(one) > 1]:
            missing = [one for one in masters if one not in balanced]
            why = f"it names {few(wrong)}" + (f", not {few(missing)}" if missing else "")
            what = f"{name}: its haproxy.cfg does not name every master once"
            found.append(problem(what, why=why, fix=f"`haplane up {roster.inventory}`"))
    return found


def unserved_masters(roster: Roster, observation: Observation) -> list[Problem]:
    """Ready API servers that a load balancer sends nothing to, no longer checks, or does not know at all."""
    ready = observation.with_ready_apiserver(roster.masters)
    found = []
    for name in roster.balancers:
        servers = _servers(name, APISERVERS, observation)
        found += [
            _unserved(name, server, roster, observation)
            for server in servers or ()
            if server.name in ready and not server.is_up
        ]
        known = ready if servers is None else [server.name for server in servers]
        found += [
            problem(
                f"{name} sends nothing to {master}",
                why="its haproxy runs with a configuration that does not name this master",
                fix=UP,
            )
            for master in ready
            if master not in known
        ]
    return found


def _unserved(name: str, server: Server, roster: Roster, observation: Observation) -> Problem:
    """Drained servers are put back by `up`; one that is DOWN is ready and cannot be reached from there."""
    what = f"{name} {'does not check' if server.status == 'no check' else 'sends nothing to'} {server.name}"
    own = _spoiled_on([name], "haproxy", roster, observation)
    if own or not server.status.startswith("DOWN"):
        return problem(what, why=f"{server.status}; {own}" if own else server.status, fix=UP)
    readyz = f"https://{roster.addresses[server.name]}:{roster.apiserver_port}/readyz"
    look = f"see what drops packets: {on(name, f'curl -k {readyz}')}"
    return problem(what, why=f"{server.status}, though its API server is ready", fix=look)


def unreached_members(roster: Roster, observation: Observation) -> list[Problem]:
    """Where etcd is on other hosts: serving members that a master's haproxy, its way to etcd, does not reach."""
    if set(roster.masters) & set(roster.etcd):
        return []
    serving = [name for name in roster.etcd if name in observation.reports]
    serving = [name for name in serving if observation.reports[name].etcd.reads_through_quorum]
    found = []
    for name in roster.masters:
        servers = _servers(name, ETCD, observation)
        reached = {server.name: server for server in servers or ()}
        for member in serving if servers is not None else ():
            server = reached.get(member)
            if server is None or not server.is_up:
                found.append(_unreached(name, member, server, roster.addresses[member]))
    return found


def _unreached(name: str, member: str, server: Server | None, address: str) -> Problem:
    what = f"{name}: its haproxy does not reach etcd member {member}"
    if server is None or not server.status.startswith("DOWN"):
        why = f"its server is {server.status} there" if server else "haproxy's configuration does not name it"
        return problem(what, why=why, fix=UP)
    look = f"see what drops packets: on {name} `curl -vk https://{address}:2379/readyz`"
    return problem(what, why="its server is DOWN there", fix=look)


def _servers(name: str, backend: str, observation: Observation) -> list[Server] | None:
    """What that host's haproxy has in this backend; None where it reports nothing."""
    report = observation.reports.get(name)
    if report is None or report.balancer.servers is None:
        return None
    return [server for server in report.balancer.servers if server.backend == backend]
