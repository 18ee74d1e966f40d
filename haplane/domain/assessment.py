"""What brings a cluster back with the least loss. Pure.

The invariant: **data is replaced only where nothing less would bring the cluster back, or when the operator accepts
the loss explicitly.** An unreachable member may hold newer data than anything that can be read: it is never counted
as lost. Revisions only grow, across restores too, so the highest revision is the newest data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from haplane.domain.durations import in_words
from haplane.domain.members import is_corrupt, members_besides, with_known_etcd
from haplane.domain.observed import HostReport
from haplane.domain.problem import Problem, problem
from haplane.domain.quorum import majority
from haplane.domain.restoration import Journal, under_way
from haplane.domain.snapshot_report import INTERVALS
from haplane.domain.stale_members import stale_members
from haplane.errors import INVENTORY


class RecoveryAction(StrEnum):
    """What has to be done, from the least to the most."""

    NOTHING = "nothing to do: every member serves"
    RENEW = "renew the members' expired certificates: their data is intact"
    REPAIR = "repair the members that do not serve, one at a time"
    FIX = "fix what keeps these members from serving: their data is intact"
    START = "start the members: their data is intact"
    REACH = "switch on the unreachable members: they may hold the missing data"
    SURVIVOR = "restore the newest of the surviving members' data and the stored snapshots"
    REBUILD = "restore a snapshot: no member has data"
    CREATE = "no cluster exists on these hosts yet"


@dataclass(frozen=True)
class Member:
    """One member as observed. ``revision`` is None while its etcd does not run; ``has_data``: of this cluster.

    ``leaves``: it is being decommissioned. ``damaged``: etcd reports its data as corrupt, or they are of another
    cluster. ``expired``: one of its etcd certificates has expired, which may be why it does not serve.
    """

    name: str
    reachable: bool
    has_data: bool = False
    serves: bool = False
    revision: int | None = None
    damaged: bool = False
    leaves: bool = False
    expired: bool = False


@dataclass(frozen=True)
class Assessment:
    """What to do, the members it concerns, and the figures it follows from."""

    action: RecoveryAction
    members: tuple[str, ...]
    reason: str

    @property
    def is_less_than_a_restore(self) -> bool:
        """Whether the cluster comes back without replacing data."""
        return self.action not in (RecoveryAction.SURVIVOR, RecoveryAction.REBUILD, RecoveryAction.CREATE)

    def command(self, inventory: str) -> str:
        """What to run, for an inventory at that path."""
        up, restore = f"haplane up {inventory}", f"haplane restore {inventory}"
        return {
            RecoveryAction.NOTHING: f"haplane status {inventory}",
            RecoveryAction.REPAIR: "; ".join(f"haplane node repair {inventory} {name}" for name in self.members),
            RecoveryAction.FIX: up,
            RecoveryAction.RENEW: up,
            RecoveryAction.START: up,
            RecoveryAction.REACH: f"switch on {', '.join(self.members)}, then `{up}`",
            RecoveryAction.SURVIVOR: restore,
            RecoveryAction.REBUILD: restore,
            RecoveryAction.CREATE: f"`{up}` creates one; `{restore}` brings an earlier one back from its snapshots",
        }[self.action]


def members_of(
    names: Iterable[str],
    reports: Mapping[str, HostReport],
    leaving: Collection[str] = (),
    expired: Collection[str] = (),
) -> tuple[Member, ...]:
    """Members as their hosts report them; ``expired`` are hosts with an expired etcd certificate."""
    reports = with_known_etcd(reports)
    return tuple(replace(_member(name, reports), leaves=name in leaving, expired=name in expired) for name in names)


def _member(name: str, reports: Mapping[str, HostReport]) -> Member:
    report = reports.get(name)
    if report is None:
        return Member(name, reachable=False)
    etcd = report.etcd
    revision = etcd.status.header.revision if etcd.status else None
    stale = name in stale_members([*reports], reports)
    damaged = stale or is_corrupt(name, reports)
    return Member(
        name,
        reachable=True,
        has_data=etcd.has_data and not stale,
        serves=etcd.has_quorum and not stale,
        revision=revision,
        damaged=damaged,
    )


def keys_are_lost(
    masters: Iterable[str], reports: Mapping[str, HostReport], keys: Collection[str], without: Collection[str] = ()
) -> bool:
    """Whether one of the files ``keys`` is on no master. An unreachable one may have it, unless it is left out."""
    left = [name for name in masters if name not in without]
    if any(name not in reports for name in left):
        return False
    return not set(keys) <= {path for name in left for path in reports[name].files}


def assess(members: Sequence[Member], *, keys_lost: bool = False) -> Assessment:
    """The least that brings these members of one cluster back. Raises ValueError for no members.

    ``keys_lost``: with etcd on hosts of its own, all masters can be lost and no data. The cluster's keys are then in
    snapshots only, and the data comes from the members.
    """
    found = _smallest(members, keys_lost=keys_lost)
    renewable = tuple(one.name for one in members if one.expired and one.has_data and not (one.serves or one.damaged))
    if renewable and found.action in (RecoveryAction.REPAIR, RecoveryAction.FIX, RecoveryAction.START):
        return replace(found, action=RecoveryAction.RENEW, members=renewable)
    return found


def _smallest(members: Sequence[Member], *, keys_lost: bool) -> Assessment:
    needed = majority(len(members))
    serving = [member.name for member in members if member.serves]
    holding = [member.name for member in members if member.reachable and member.has_data]
    unreachable = [member.name for member in members if not member.reachable]
    counted = f"{len(members)} members, majority is {needed}"
    if keys_lost and holding:
        reason = f"{counted}: {_named(holding)} have data, no master holds the cluster's keys"
        return Assessment(RecoveryAction.SURVIVOR, tuple(holding), reason)
    if serving:
        return _partly_serving(members, f"{counted}: {_named(serving)} read through quorum")
    reason = f"{counted}: {_named(holding)} have data, {_named(unreachable)} unreachable"
    if len(holding) >= needed:
        return Assessment(RecoveryAction.START, tuple(holding), reason)
    if unreachable and len(holding) + len(unreachable) >= needed:
        return Assessment(RecoveryAction.REACH, tuple(unreachable), reason)
    if holding:
        return Assessment(RecoveryAction.SURVIVOR, tuple(holding), reason)
    return Assessment(RecoveryAction.REBUILD, (), reason)


def _partly_serving(members: Sequence[Member], reason: str) -> Assessment:
    staying = [member for member in members if not member.serves and not member.leaves]
    intact = any(member.has_data and not member.damaged for member in staying)
    action = RecoveryAction.FIX if intact else RecoveryAction.REPAIR if staying else RecoveryAction.NOTHING
    return Assessment(action, tuple(member.name for member in staying), reason)


def _named(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else "0"


@dataclass(frozen=True)
class Candidate:
    """Something to restore from: a snapshot, or a member's data, whose ``age_seconds`` is 0."""

    name: str
    revision: int
    age_seconds: float


def loss(candidate: Candidate, highest: int | None) -> str:
    """What restoring it loses, ``highest`` being the highest known revision of the cluster.

    A snapshot's age is always named: newer snapshots may have been deleted by someone.
    """
    age = in_words(candidate.age_seconds)
    restored = f"{candidate.name}: revision {candidate.revision}"
    if highest is not None and candidate.revision >= highest:
        taken = f", taken {age} ago" if candidate.age_seconds else ""
        return f"{restored}{taken}, nothing newer is known"
    since = f"every write of the last {age}"
    if highest is None:
        return f"{restored}, loses {since}"
    return f"{restored} of {highest}, loses {highest - candidate.revision} revisions, {since}"


def too_old(age_seconds: float, interval_seconds: int | None) -> bool:
    """Whether a stored snapshot is so old that restoring it needs --accept-loss."""
    return interval_seconds is not None and age_seconds > INTERVALS * interval_seconds


BUMP = 1_000_000_000
"""More revisions than a cluster writes between its last snapshot and its end: every older watch has to re-list."""


REACHABLE = 1 << 40
"""More revisions than are ever written after a snapshot: at 10,000 writes a second three years'."""


def credible(restored: int, known: Iterable[int]) -> list[int]:
    """Those of the known revisions that the cluster can have reached since ``restored``.

    One host that lies, or one stolen key that signs, could otherwise use up the numbers that etcd has.
    """
    return [revision for revision in known if revision - restored <= REACHABLE]


def bump(restored: int, known: Iterable[int]) -> int:
    """By how much to raise the revision: above every credible one, and above those that nobody reported."""
    return max(0, max(credible(restored, known), default=0) - restored) + BUMP


@dataclass(frozen=True)
class PreviousData:
    """etcd data that a restore or a repair has moved to ``path`` on ``host``. ``size`` in bytes."""

    host: str
    path: str
    size: int


@dataclass(frozen=True)
class Recovery:
    """For ``haplane status``: what to do and with which command, an interrupted restore, and previous data."""

    action: RecoveryAction
    members: tuple[str, ...]
    reason: str
    command: str
    restore_under_way: str | None
    previous_data: tuple[PreviousData, ...]

    @property
    def problems(self) -> list[Problem]:
        """Problems that an operator has to fix."""
        if not self.restore_under_way:
            return []
        what = f"a restore of {self.restore_under_way} was interrupted"
        return [problem(what, fix=f"`haplane restore {INVENTORY}` with the same options completes it")]


def restore_under_way(
    members: Sequence[str], others: Sequence[str], reports: Mapping[str, HostReport]
) -> Journal | None:
    """The restore that has to be completed, by the journals of etcd's members and of the ``others`` it reaches.

    A fresh host may have replaced one since, so it has no vote.
    """
    serving = {name: reports[name].etcd.reads_through_quorum for name in members if name in reports}
    known = {name: reports[name] for name in (*members, *others) if name in reports}
    journals = {name: one.leftovers.journal for name, one in known.items() if one.leftovers.journal or not one.fresh}
    return under_way(journals, serving)


def summarise_recovery(
    names: Sequence[str],
    reports: Mapping[str, HostReport],
    *,
    inventory: str,
    leaving: Sequence[str] = (),
    others: Sequence[str] = (),
    keys_lost: bool = False,
    expired: Collection[str] = (),
) -> Recovery:
    """``names`` are the inventory's etcd members, ``others`` the other hosts that take part in a restore.

    ``inventory`` is its path, for the command. ``expired`` are hosts with an expired etcd certificate.
    """
    reports = with_known_etcd(reports)
    members = members_besides(names, leaving, reports)
    assessment = assess(members_of(members, reports, leaving, expired), keys_lost=keys_lost)
    if all(name in reports and reports[name].fresh for name in (*names, *others, *leaving)):
        assessment = Assessment(RecoveryAction.CREATE, (), "no host has etcd data or a cluster's keys")
    journal = restore_under_way(members, others, reports)
    return Recovery(
        action=assessment.action,
        members=assessment.members,
        reason=assessment.reason,
        command=assessment.command(inventory),
        restore_under_way=journal.source if journal else None,
        previous_data=tuple(
            PreviousData(name, one.path, one.size)
            for name, report in sorted(reports.items())
            for one in report.leftovers.previous_data
        ),
    )
