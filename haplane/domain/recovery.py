"""The smallest cure for what is left of a cluster. Pure.

The invariant: **data is replaced only where nothing less would bring the cluster back, or on an explicit word that
accepts the loss.** A member that cannot be reached may hold newer data than anything that can be looked at: it is
never counted as lost. Revisions only grow, also over restores, so the highest one is the newest data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from haplane.domain.observed import HostReport
from haplane.domain.quorum import majority
from haplane.domain.restoration import under_way


class Cure(Enum):
    """From the least to the most that has to be done."""

    NOTHING = "nothing to do: every member serves"
    REPAIR = "repair the members that do not serve, one at a time"
    START = "start the members: their data is there"
    REACH = "switch on what cannot be reached: it may hold the data that is missing"
    SURVIVOR = "restore the newest of what members still hold and of the snapshots"
    REBUILD = "rebuild from a snapshot: no member holds data"


@dataclass(frozen=True)
class Member:
    """One member of the inventory as observed. ``revision`` is None while its etcd does not run."""

    name: str
    answers: bool
    has_data: bool = False
    serves: bool = False
    revision: int | None = None


@dataclass(frozen=True)
class Judgement:
    """The cure, the members that it concerns, and the arithmetic behind it."""

    cure: Cure
    members: tuple[str, ...]
    arithmetic: str

    @property
    def is_less_than_a_restore(self) -> bool:
        """Whether replacing data would destroy what need not be lost."""
        return self.cure not in (Cure.SURVIVOR, Cure.REBUILD)

    def command(self, inventory: str) -> str:
        """What to run instead of, or as, a restore."""
        names = " ".join(self.members)
        return {
            Cure.NOTHING: f"haplane status {inventory}",
            Cure.REPAIR: "; ".join(f"haplane node repair {inventory} {name}" for name in self.members),
            Cure.START: f"haplane up {inventory}",
            Cure.REACH: f"switch on {names}, then `haplane up {inventory}`",
            Cure.SURVIVOR: f"haplane restore {inventory}",
            Cure.REBUILD: f"haplane restore {inventory}",
        }[self.cure]


def members_of(names: Iterable[str], reports: Mapping[str, HostReport]) -> tuple[Member, ...]:
    """The inventory's members as their hosts told of them."""
    return tuple(_member(name, reports.get(name)) for name in names)


def _member(name: str, report: HostReport | None) -> Member:
    if report is None:
        return Member(name, answers=False)
    etcd = report.etcd
    revision = etcd.status.header.revision if etcd.status else None
    return Member(name, True, etcd.has_data, etcd.reads_through_quorum, revision)


def keys_are_lost(
    masters: Iterable[str], reports: Mapping[str, HostReport], keys: Collection[str], without: Collection[str] = ()
) -> bool:
    """Whether some of the files ``keys`` are on no master; one that is off may have them, until it is given up."""
    left = [name for name in masters if name not in without]
    if any(name not in reports for name in left):
        return False
    return not set(keys) <= {path for name in left for path in reports[name].files}


def judge(members: Sequence[Member], *, keys_lost: bool = False) -> Judgement:
    """What is right for these members of one cluster. Raises ValueError for none.

    ``keys_lost``: with etcd on machines of its own all masters can be lost and no data. Their keys are in snapshots
    only, and the data are taken from the members.
    """
    needed = majority(len(members))
    serving = [member.name for member in members if member.serves]
    holding = [member.name for member in members if member.answers and member.has_data]
    silent = [member.name for member in members if not member.answers]
    counted = f"{len(members)} members, {needed} needed"
    if keys_lost and holding:
        arithmetic = f"{counted}: {_named(holding)} hold data, no master holds the cluster's keys"
        return Judgement(Cure.SURVIVOR, tuple(holding), arithmetic)
    if serving:
        rest = tuple(member.name for member in members if not member.serves)
        cure = Cure.REPAIR if rest else Cure.NOTHING
        return Judgement(cure, rest, f"{counted}: {_named(serving)} read through quorum")
    arithmetic = f"{counted}: {_named(holding)} hold data, {_named(silent)} cannot be reached"
    if len(holding) >= needed:
        return Judgement(Cure.START, tuple(holding), arithmetic)
    if silent and len(holding) + len(silent) >= needed:
        return Judgement(Cure.REACH, tuple(silent), arithmetic)
    if holding:
        return Judgement(Cure.SURVIVOR, tuple(holding), arithmetic)
    return Judgement(Cure.REBUILD, (), arithmetic)


def _named(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else "none"


@dataclass(frozen=True)
class Candidate:
    """Something to restore from: a snapshot, or what a member holds. ``age_seconds`` is 0 for what is still there."""

    name: str
    revision: int
    age_seconds: float


def newest(candidates: Iterable[Candidate]) -> Candidate | None:
    """The one that loses the least; of equals the younger."""
    return max(candidates, key=lambda one: (one.revision, -one.age_seconds), default=None)


def loss(candidate: Candidate, highest: int | None) -> str:
    """What restoring it loses, ``highest`` being the highest revision that anybody is known to have had."""
    if highest is not None and candidate.revision >= highest:
        return f"{candidate.name}: revision {candidate.revision}, nothing newer is known"
    since = f"every write of its last {_duration(candidate.age_seconds)}"
    if highest is None:
        return f"{candidate.name}: revision {candidate.revision}, loses {since}"
    gone = highest - candidate.revision
    return f"{candidate.name}: revision {candidate.revision} of {highest}, loses {gone} revisions, {since}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"


BUMP = 1_000_000_000
"""More revisions than a cluster writes between its last snapshot and its end: every older watch has to re-list."""


def bump(restored: int, known: Iterable[int]) -> int:
    """By how much to raise the revision, so that it is above every known one and above what nobody has told."""
    return max(0, max(known, default=0) - restored) + BUMP


@dataclass(frozen=True)
class Kept:
    """Old data that a restore has kept. ``size`` in bytes."""

    host: str
    path: str
    size: int


@dataclass(frozen=True)
class Recovery:
    """For ``haplane status``: the right cure, a restore that was interrupted, what earlier ones have kept."""

    cure: str
    members: tuple[str, ...]
    arithmetic: str
    restore_under_way: str | None
    kept: tuple[Kept, ...]

    @property
    def problems(self) -> list[str]:
        """What an operator has to do something about."""
        if self.restore_under_way:
            return [f"a restore of {self.restore_under_way} was interrupted: the same command completes it"]
        return []


def summarise_recovery(
    names: Sequence[str], reports: Mapping[str, HostReport], *, keys_lost: bool = False
) -> Recovery:
    """``names`` are the members of the inventory."""
    judgement = judge(members_of(names, reports), keys_lost=keys_lost)
    serving = {name: reports[name].etcd.reads_through_quorum for name in names if name in reports}
    journal = under_way({name: report.remains.journal for name, report in reports.items()}, serving)
    kept = tuple(
        Kept(name, one.path, one.size) for name, report in sorted(reports.items()) for one in report.remains.aside
    )
    return Recovery(
        judgement.cure.value, judgement.members, judgement.arithmetic, journal.source if journal else None, kept
    )
