"""Problems of load balancers: their haproxy and keepalived, and the ways through them."""

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
    """What is wrong with haproxy and keepalived of those that could be inspected."""
    unknown = {name for name, report in observation.reports.items() if "balancer" in report.failed}
    known = [one for one in balancers if one.reachable and one.name not in unknown]
    found = [_not_responding(one.name, observation) for one in known if not one.haproxy]
    found += [_closed(one.name, roster) for one in known if one.haproxy and _is_closed(one.name, observation)]
    found += [_full(one.name, roster, observation) for one in known if _is_full(one.name, observation)]
    found += [_faulty(one.name, roster, observation) for one in known if _is_faulty(one.name, observation)]
    found += [_altered(one.name, roster) for one in known if _is_altered(one.name, roster, observation)]
    found += [
        problem(
            f"{one.name}: VRRP adverts of any host reach keepalived",
            why="the nftables table haplane_vrrp was removed",
            fix=f"`haplane up {roster.inventory}`",
        )
        for one in balancers
        if one.adverts_filtered is False
    ]
    return found + _elsewhere(roster, observation)


def spoiled_on(names: Iterable[str], unit: str, roster: Roster, observation: Observation) -> str | None:
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
    """One whose haproxy takes no connections, or sends them nowhere, is in that state for that reason."""
    report = observation.reports[name]
    unit = report.units.get("keepalived")
    faulty = unit is not None and unit.active and report.balancer.vrrp == "FAULT"
    return faulty and report.balancer.accepts is not False and serves(name, observation)


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
        servers = servers_of(name, APISERVERS, observation)
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
    own = spoiled_on([name], "haproxy", roster, observation)
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
        servers = servers_of(name, ETCD, observation)
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


def serves(name: str, observation: Observation) -> bool:
    """Whether its haproxy sends connections to any API server."""
    return any(server.is_up for server in servers_of(name, APISERVERS, observation) or ())


def servers_of(name: str, backend: str, observation: Observation) -> list[Server] | None:
    """What that host's haproxy has in this backend; None where it reports nothing."""
    report = observation.reports.get(name)
    if report is None or report.balancer.servers is None:
        return None
    return [server for server in report.balancer.servers if server.backend == backend]
