"""Which host haplane may take out of service now. Pure.

The invariant: **at most one member or API server is out of service by our hand, and only while the others carry on
without it**: etcd keeps a majority (:mod:`haplane.domain.quorum`), and another API server is ready. Only a verb that
is an outage by itself may say otherwise, and says so first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from haplane.domain.balancer_report import APISERVERS
from haplane.domain.etcd_report import EtcdMember
from haplane.domain.observed import HostReport, listed_members
from haplane.domain.quorum import MemberState, Verdict, may_stop
from haplane.domain.stale_members import may_be_one_cluster, stale_members

Guard = Callable[[dict[str, HostReport | None], str], Verdict]
"""Whether the one of that name may go out of service, of a group with what each reports."""


def etcd_states(members: Mapping[str, HostReport | None]) -> dict[str, MemberState]:
    """By name the state of each member on etcd's own list; of the given ones when nobody tells that list.

    A listed member that is not given, whose host did not answer, or that runs a cluster of its own counts as
    unhealthy; one that has never started has no name yet.
    """
    reports = {name: report for name, report in members.items() if report is not None}
    listed = listed_members(reports.values())
    stale = stale_members([*reports], reports)
    if not listed:
        return dict.fromkeys(members, MemberState.UNHEALTHY)
    return {
        member.name or f"{member.id:x}": MemberState.LEARNER
        if member.is_learner
        else _state(member, None if member.name in stale else reports.get(member.name))
        for member in listed
    }


def _state(member: EtcdMember, report: HostReport | None) -> MemberState:
    """``report`` is its host's. Where a member with another ID runs there, the listed one does not."""
    if report is None or not report.etcd.reads_through_quorum:
        return MemberState.UNHEALTHY
    status = report.etcd.status
    return MemberState.HEALTHY if status is None or status.header.member_id == member.id else MemberState.UNHEALTHY


def may_restart_etcd(members: Mapping[str, HostReport | None], name: str) -> Verdict:
    """Whether that member may be restarted now; one that etcd does not list counts as an unhealthy voter."""
    return may_stop({name: MemberState.UNHEALTHY} | etcd_states(members), name)


def where_others_carry_on(guard: Guard, members: int) -> Guard:
    """The guard, or :func:`announced_outage` for the only one: a verb that says so first may take that out."""
    return guard if members > 1 else announced_outage


def announced_outage(only: Mapping[str, HostReport | None], name: str) -> Verdict:
    """For a verb that has said so before it asked: where there is one, there is nobody to carry on without it."""
    return Verdict(set(only) == {name}, f"{len(only)} of its kind: only a single one may be an announced outage")


def may_restart_apiserver(masters: Mapping[str, HostReport | None], name: str) -> Verdict:
    """Whether that master's API server may be restarted now.

    One beside a member of another etcd cluster serves that one's objects: it does not count.
    """
    reports = {other: report for other, report in masters.items() if report is not None}
    stale = stale_members([*reports], reports)
    others = sorted(reports.keys() - {name} - stale.keys())
    if name in reports and name not in stale:
        others = [other for other in others if may_be_one_cluster(reports[name].etcd, reports[other].etcd)]
    ready = [other for other in others if reports[other].apiserver.ready]
    counted = (
        f"{len(masters)} API servers; without {name}, {len(ready)} ready ({', '.join(ready) or 'none'}), 1 needed"
    )
    own = masters[name]
    if own is not None and not own.apiserver.ready:
        return Verdict(True, f"{name}'s API server is not in service")
    return Verdict(bool(ready), counted)


def may_stop_balancer(balancers: Mapping[str, HostReport | None], name: str, *, masters: Collection[str]) -> Verdict:
    """Whether that load balancer may go out of service now: another one has to be able to take the address.

    ``masters`` are the inventory's: one that sends clients to none of them serves nobody.
    """
    others = sorted(other for other in balancers if other != name)
    serving = [other for other in others if (report := balancers[other]) is not None and _balances(report, masters)]
    counted = (
        f"{len(balancers)} load balancers; without {name}, {len(serving)} serve ({', '.join(serving) or 'none'})"
    )
    return Verdict(bool(serving), f"{counted}, 1 needed")


def _balances(report: HostReport, masters: Collection[str]) -> bool:
    """Whether haproxy and keepalived run, and haproxy sends clients to one of the masters."""
    active = all(unit in report.units and report.units[unit].active for unit in ("haproxy", "keepalived"))
    servers = [server for server in report.balancer.servers or () if server.backend == APISERVERS]
    return active and any(server.is_up and server.name in masters for server in servers)
