"""Problems of etcd's members, and the quorum arithmetic."""

from __future__ import annotations

from collections.abc import Collection

from haplane.domain.etcd_failure import FailureKind
from haplane.domain.etcd_report import EtcdMember
from haplane.domain.members import corrupt, differ, is_corrupt, misaddressed, readdressing
from haplane.domain.observed import HostReport, Observation, listed_members
from haplane.domain.plan import few
from haplane.domain.problem import ETCDCTL, UP, Problem, journal, on, problem
from haplane.domain.quorum import can_lose, majority
from haplane.domain.stale_members import WHY_DISAGREEMENT, disagreement, other_cluster, stale_members
from haplane.domain.status.causes import let_in
from haplane.domain.status.model import EtcdCluster, MemberStatus, Quorum, Roster
from haplane.domain.status.own_files import spoiled
from haplane.domain.steps.etcd_space import quota_of, without_space


def etcd_cluster(roster: Roster, observation: Observation) -> EtcdCluster:
    """Every member of the inventory, and the arithmetic over the voters that etcd lists."""
    reported = listed_members(observation.of((*roster.etcd, *roster.leaving)))
    listed = {member.name: member for member in reported}
    members = tuple(_member(name, roster, observation, listed.get(name)) for name in roster.etcd)
    voters = sum(not member.is_learner for member in reported) or len(roster.etcd)
    healthy = sum(member.healthy and not member.learner for member in members)
    return EtcdCluster(members, Quorum(voters, healthy, majority(voters), can_lose(voters, healthy)))


def _member(name: str, roster: Roster, observation: Observation, listed: EtcdMember | None) -> MemberStatus:
    """``healthy``: it reads through the others' quorum; an alarm about space is the cluster's, not the member's."""
    report = observation.reports.get(name)
    status = report.etcd.status if report else None
    known = observation.of(roster.etcd)
    mine = status.header.member_id if status else listed.id if listed else None
    alarms = {"CORRUPT": corrupt(known), "NOSPACE": without_space(known)}
    stale = name in stale_members(roster.etcd, observation.reports)
    serves = report is not None and report.etcd.reads_through_quorum and not stale
    failure = report.etcd.failure.kind if report and report.etcd.failure else None
    failure = failure or (FailureKind.OTHER_CLUSTER if stale else None)
    return MemberStatus(
        name=name,
        id=format(listed.id, "x") if listed else None,
        address=roster.addresses[name],
        healthy=bool(status and serves and mine not in alarms["CORRUPT"]),
        leader=bool(report and not stale and report.etcd.leads),
        learner=bool(listed and listed.is_learner),
        db_bytes=status.db_size if status else None,
        revision=status.header.revision if status else None,
        db_in_use_bytes=status.db_size_in_use if status else None,
        quota_bytes=quota_of(status) if status else None,
        alarms=tuple(alarm for alarm, members in alarms.items() if mine in members),
        unknown=report is not None and "etcd" in report.failed,
        failure=failure.name.lower() if failure else None,
    )


def members_of_other_clusters(roster: Roster, observation: Observation) -> list[Problem]:
    """Members that serve a cluster of their own, or would: restored by hand, off during a restore, a copied disk."""
    if apart := disagreement(roster.etcd, observation.reports):
        return [problem(apart.what, why=WHY_DISAGREEMENT, fix=apart.next_step)]
    found = []
    for name, ours in stale_members(roster.etcd, observation.reports).items():
        etcd = observation.reports[name].etcd
        if etcd.failure is not None:
            continue  # named with etcd's own words
        what = "runs another etcd cluster" if etcd.status else "holds the data of another etcd cluster"
        found.append(
            problem(
                f"etcd member {name}: it {what} (ID {other_cluster(etcd, ours):x}) than the others (ID {ours:x})",
                why="it was restored by itself, was off during a restore, or has another host's disk",
                fix=f"`haplane node repair INVENTORY {name}` discards its data and adds it to the others' cluster",
            )
        )
    return found


def damaged_members(roster: Roster, observation: Observation) -> list[Problem]:
    """Members whose data etcd itself calls corrupt."""
    damaged = [name for name in roster.etcd if is_corrupt(name, observation.reports)]
    why = "etcd refuses writes until it is replaced" if corrupt(observation.reports.values()) else None
    found = [
        problem(
            f"etcd member {name}: its data is damaged",
            why=why,
            fix=f"`haplane node repair INVENTORY {name}`",
            needs=[name],
        )
        for name in damaged
    ]
    if differ(observation.reports.values()):
        found.append(
            problem(
                "etcd members' data differ and there is no majority to decide whose data is damaged",
                why="etcd refuses writes",
                fix="restore a snapshot: `haplane restore INVENTORY --snapshot latest --accept-loss`",
            )
        )
    return found


LAG = 10_000
"""Entries: more than are written between the moments at which two members are asked."""
UNAPPLIED = 5_000
"""Where a member refuses new ones (etcd's maxGapBetweenApplyAndCommitIndex)."""


def lagging_members(roster: Roster, observation: Observation) -> list[Problem]:
    """Members that read through the quorum and yet have far less than most, or do not apply what they have."""
    reports = {name: observation.reports[name].etcd for name in roster.etcd if name in observation.reports}
    serving = {name: one.status for name, one in reports.items() if one.status and one.reads_through_quorum}
    indices = sorted(status.raft_index for status in serving.values())
    middle = indices[len(indices) // 2] if indices else 0
    found = []
    for name, status in serving.items():
        behind, unapplied = middle - status.raft_index, status.raft_index - status.raft_applied_index
        if behind > LAG:
            why = f"it is {behind} entries behind most members: if another one failed, writes would stop"
            found.append(problem(f"etcd member {name}: it lags behind", why=why, fix=journal(name, "etcd")))
        elif status.raft_applied_index and unapplied > UNAPPLIED:
            why = f"{unapplied} entries wait: its disk or processor is too slow"
            found.append(problem(f"etcd member {name}: it does not keep up", why=why, fix=journal(name, "etcd")))
    return found


CONNECTED_SECONDS = 30.0
"""What members that have started have to connect to each other, and to take a connection for lost."""


def separate_members(roster: Roster, observation: Observation) -> list[Problem]:
    """Members that have no connection to each other: both serve by way of a third one, and without that one neither.

    One that does not serve, or has just started, has a line of its own or needs a moment.
    """
    elsewhere = _misaddressed(roster, observation)
    asked = [name for name in roster.etcd if name not in elsewhere]
    serving = {name: observation.reports[name] for name in asked if _has_served(name, observation)}
    ids = {name: format(one.etcd.status.header.member_id, "x") for name, one in serving.items() if one.etcd.status}
    pairs = {
        tuple(sorted((name, other)))
        for name, report in serving.items()
        for other in ids
        if other != name and report.etcd.reached_peers is not None and ids[other] not in report.etcd.reached_peers
    }
    return [
        problem(
            f"etcd member {one}: it has no connection to {other}",
            why="both serve by way of others: if those fail, these two have no quorum",
            fix=f"see what drops packets to port 2380: {on(one, 'nft list ruleset')}, and the same on {other}",
        )
        for one, other in sorted(pairs)
    ]


def misaddressed_members(roster: Roster, observation: Observation) -> list[Problem]:
    """Members that the others look for where they are not; each still looks for the others."""
    return [
        problem(
            f"etcd member {name}: etcd lists it at {few(member.peer_urls)}, not at {roster.addresses[name]}",
            why="other members do not connect to it, and it counts as no member of its host",
            fix=on(name, readdressing(member, roster.addresses[name])),
        )
        for name, member in _misaddressed(roster, observation).items()
    ]


def _misaddressed(roster: Roster, observation: Observation) -> dict[str, EtcdMember]:
    there = {name: observation.reports[name] for name in roster.etcd if name in observation.reports}
    return misaddressed(roster.addresses, there)


def _has_served(name: str, observation: Observation) -> bool:
    report = observation.reports.get(name)
    unit = report.units.get("etcd") if report else None
    if report is None or unit is None or not report.etcd.reads_through_quorum:
        return False
    return report.etcd.status is not None and report.started_at - unit.active_since > CONNECTED_SECONDS


def etcd_problems(roster: Roster, observation: Observation, etcd: EtcdCluster, recovery: str) -> list[Problem]:
    """Unhealthy members whose failure is not known, a lost quorum, and voters that the inventory does not name.

    A member whose host could not ask it may be well. One that reads through quorum shows that there is one.
    ``recovery`` is the command that brings etcd back.
    """
    unhealthy = [member for member in etcd.members if not member.healthy]
    unknown = [member for member in unhealthy if member.unknown or _denies(member.name, observation)]
    found = [_unhealthy(one, roster, observation, recovery) for one in unhealthy if not one.failure]
    found += _stray_learners(observation, {member.address for member in etcd.members})
    quorum = etcd.quorum
    if quorum.healthy + len(unknown) < quorum.needed and not quorum.healthy:
        what = f"etcd has no quorum: {quorum.healthy} of {quorum.voters} healthy, {quorum.needed} needed"
        found.append(problem(what, fix=recovery))
    if quorum.voters != len(etcd.members):
        learners = ", ".join(member.name for member in etcd.members if member.learner)
        why = f"{learners} is still a learner, which has no vote" if learners else None
        found.append(
            problem(f"etcd has {quorum.voters} voters, the inventory has {len(etcd.members)}", why=why, fix=UP)
        )
    return found


def _denies(name: str, observation: Observation) -> bool:
    report = observation.reports.get(name)
    return report is not None and report.etcd.denies


def _stray_learners(observation: Observation, known: Collection[str]) -> list[Problem]:
    """Of somebody's own: they have no vote, and etcd takes no second learner beside one."""
    return [
        problem(
            f"etcd lists a learner that is not in the inventory: {learner.name or few(learner.peer_urls)}",
            why="no member can be added or replaced while it is listed",
            fix=UP,
        )
        for learner in listed_members(observation.reports.values())
        if learner.is_learner and not any(f"://{address}:" in url for url in learner.peer_urls for address in known)
    ]


def _unhealthy(member: MemberStatus, roster: Roster, observation: Observation, recovery: str) -> Problem:
    """One whose own words explain nothing: its host is off or could not ask it, it is stopped, or finds no quorum."""
    name = member.name
    report = observation.reports.get(name)
    if one := observation.left_out.get(name):
        why, fix = observation.unreachable[name], let_in(one)
        return problem(f"etcd member {name}: not healthy", why=why, fix=fix, needs=[name])
    if report is None:
        fix = f"power {name} on; if it is lost for good: `haplane node repair INVENTORY {name}`"
        return problem(f"etcd member {name}: not healthy", why="its host is unreachable", fix=fix, needs=[name])
    if member.unknown:
        again = "run `haplane status INVENTORY` again once its host can be inspected"
        return problem(f"etcd member {name}: unknown", why="its host could not query it", fix=again)
    why, fix = _why_unhealthy(name, roster, report, recovery)
    return problem(f"etcd member {name}: not healthy", why=why, fix=fix)


def _why_unhealthy(name: str, roster: Roster, report: HostReport, recovery: str) -> tuple[str, str]:
    """Cause and next step for a member that its host asked."""
    if report.etcd.cut_off:
        return (
            "its own host drops what is sent to port 2379",
            f"see what drops packets: {on(name, 'nft list ruleset')}",
        )
    if report.etcd.denies:
        why = "etcd's authentication is enabled, and no API server is a user of etcd's"
        return why, f"with the password of etcd's root: {on(name, f'{ETCDCTL} --user=root auth disable')}"
    if report.etcd.status is None:
        return _unresponsive(name, roster, report, recovery)
    return "it responds, but cannot read through quorum", journal(name, "etcd")


def _unresponsive(name: str, roster: Roster, report: HostReport, recovery: str) -> tuple[str, str]:
    """Cause and next step. One without its keys serves who is connected already: a restart would end that."""
    if why := spoiled(name, roster, report, "etcd"):
        return why, UP
    if not report.etcd.has_data:
        return "it has no data", recovery
    unit = report.units.get("etcd")
    hangs = unit is not None and unit.active
    return "it does not respond", on(name, "systemctl restart etcd") if hangs else recovery
