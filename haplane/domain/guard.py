"""What our own hand may take out of service now. Pure.

The invariant: **at most one member or API server is out of service by our hand, and only while the others carry on
without it**: etcd keeps a majority (:mod:`haplane.domain.quorum`), and another API server is ready. Only a verb that
is an outage by itself may say otherwise, and says so first.
"""

from __future__ import annotations

from collections.abc import Mapping

from haplane.domain.observed import HostReport
from haplane.domain.quorum import MemberState, Verdict, may_stop


def etcd_states(members: Mapping[str, HostReport | None]) -> dict[str, MemberState]:
    """Each member's state; one whose host did not answer counts as unhealthy."""
    return {name: _state(name, report) for name, report in members.items()}


def _state(name: str, report: HostReport | None) -> MemberState:
    if report is None or not report.etcd.reads_through_quorum:
        return MemberState.UNHEALTHY
    listed = {member.name: member for member in report.etcd.members or ()}
    is_learner = name in listed and listed[name].is_learner
    return MemberState.LEARNER if is_learner else MemberState.HEALTHY


def may_restart_etcd(members: Mapping[str, HostReport | None], name: str) -> Verdict:
    """Whether that member may be restarted now."""
    return may_stop(etcd_states(members), name)


def may_restart_apiserver(masters: Mapping[str, HostReport | None], name: str) -> Verdict:
    """Whether that master's API server may be restarted now."""
    others = sorted(other for other in masters if other != name)
    ready = [other for other in others if (report := masters[other]) is not None and report.apiserver.ready]
    counted = (
        f"{len(masters)} API servers; without {name}, {len(ready)} ready ({', '.join(ready) or 'none'}), 1 needed"
    )
    own = masters[name]
    if own is not None and not own.apiserver.ready:
        return Verdict(True, f"{name}'s API server is not in service")
    return Verdict(bool(ready), counted)
