"""etcd's members, and the arithmetic."""

from __future__ import annotations

from haplane.domain.agreement import other_cluster, stale_members
from haplane.domain.etcd_failure import FailureKind
from haplane.domain.etcd_report import EtcdMember
from haplane.domain.etcd_space import quota_of, without_space
from haplane.domain.members import corrupt, differ, is_corrupt
from haplane.domain.observed import Observation, listed_members
from haplane.domain.quorum import can_lose, majority
from haplane.domain.status.model import EtcdCluster, MemberStatus, Quorum, Roster, problem


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
        leader=bool(status and not stale and status.leader == status.header.member_id),
        learner=bool(listed and listed.is_learner),
        db_bytes=status.db_size if status else None,
        revision=status.header.revision if status else None,
        db_in_use_bytes=status.db_size_in_use if status else None,
        quota_bytes=quota_of(status) if status else None,
        alarms=tuple(alarm for alarm, members in alarms.items() if mine in members),
        unknown=report is not None and "etcd" in report.failed,
        failure=failure.name.lower() if failure else None,
    )


def members_of_other_clusters(roster: Roster, observation: Observation) -> list[str]:
    """Members that serve a cluster of their own, or would: restored by hand, off during a restore, a copied disk."""
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


def damaged_members(roster: Roster, observation: Observation) -> list[str]:
    """Members whose data etcd itself calls corrupt."""
    damaged = [name for name in roster.etcd if is_corrupt(name, observation.reports)]
    fix = "fix: `haplane node repair`"
    stopped = "; etcd refuses writes until then" if corrupt(observation.reports.values()) else ""
    found = [f"etcd member {name}: its data is damaged, {fix}{stopped}" for name in damaged]
    if differ(observation.reports.values()):
        found.append(
            "etcd members' data differ and there is no majority to tell whose data is damaged: etcd refuses writes; "
            "restore a snapshot (`haplane restore INVENTORY --snapshot latest --accept-loss`)"
        )
    return found


def etcd_problems(etcd: EtcdCluster) -> list[str]:
    """Unhealthy members whose failure is not known, a lost quorum, and voters that the inventory does not name.

    A member whose host could not ask it may be well. One that reads through quorum shows that there is one.
    """
    unhealthy = [member for member in etcd.members if not member.healthy]
    unknown = [member for member in unhealthy if member.unknown]
    found = [
        f"etcd member {one.name}: {'unknown' if one.unknown else 'not healthy'}"
        for one in unhealthy
        if not one.failure
    ]
    quorum = etcd.quorum
    if quorum.healthy + len(unknown) < quorum.needed and not quorum.healthy:
        found.append(f"etcd has no quorum: {quorum.healthy} of {quorum.voters} healthy, {quorum.needed} needed")
    if quorum.voters != len(etcd.members):
        found.append(f"etcd has {quorum.voters} voters, the inventory has {len(etcd.members)}")
    return found
