"""How old the last verified snapshot of the cluster is, and what its members report. Pure.

A verified snapshot was restored once when it was taken, and was taken with quorum. One "without quorum" is kept, and
does not reset the age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from haplane.domain.history import WITNESSES, latest, why_not_yet
from haplane.domain.observed import HostReport, Observation
from haplane.domain.problem import Problem, journal, on, problem
from haplane.domain.snapshot_report import INTERVALS, LastSnapshot
from haplane.domain.steps.snapshots import TIMER_UNIT
from haplane.errors import INVENTORY

AGENT_UNIT = TIMER_UNIT.replace(".timer", ".service")


@dataclass(frozen=True, kw_only=True)
class MemberSnapshots:
    """What one member reports; all None where it reports nothing. Times are ISO 8601 in UTC."""

    name: str
    last_taken_at: str | None = None
    last_outcome: str | None = None
    last_error: str | None = None
    without_quorum: int | None = None
    skipped: int | None = None
    local: int | None = None


@dataclass(frozen=True)
class Snapshots:
    """Times are ISO 8601 in UTC; all None while nothing is known. ``rpo_seconds``: what a total loss may cost now,
    the interval and the measured length of the last pipeline. ``remote`` None: not read, or no response.
    """

    interval_seconds: int | None = None
    last_taken_at: str | None = None
    last_verified_at: str | None = None
    age_seconds: float | None = None
    pipeline_seconds: float | None = None
    rpo_seconds: float | None = None
    local: int | None = None
    remote: int | None = None
    members: tuple[MemberSnapshots, ...] = ()

    @property
    def pipeline_is_slow(self) -> bool:
        """Whether the last one took over half the interval: the deputy acts then, and slots may be skipped."""
        if self.interval_seconds is None or self.pipeline_seconds is None:
            return False
        return self.pipeline_seconds > self.interval_seconds / 2


def summarise_snapshots(
    interval_seconds: int | None, names: Sequence[str], observation: Observation, now: datetime
) -> Snapshots:
    """``names`` are the etcd members; without an interval no snapshots are taken."""
    if interval_seconds is None:
        return Snapshots()
    reported = [report.snapshots for report in observation.of(names) if report.snapshots is not None]
    verified = [one.state.last_verified for one in reported if one.state and one.state.last_verified]
    newest = latest(verified, now)
    return Snapshots(
        interval_seconds=interval_seconds,
        last_taken_at=newest.taken_at.isoformat() if newest else None,
        last_verified_at=newest.verified_at.isoformat() if newest else None,
        age_seconds=round(max(0.0, (now - newest.taken_at).total_seconds()), 1) if newest else None,
        pipeline_seconds=round(newest.seconds, 1) if newest else None,
        rpo_seconds=round(interval_seconds + newest.seconds, 1) if newest else None,
        local=sum(one.local for one in reported) if reported else None,
        members=tuple(_member(name, observation.reports.get(name)) for name in names),
    )


def with_recent(
    interval_seconds: int, names: Sequence[str], observation: Observation, now: datetime
) -> tuple[str, ...]:
    """Members that report a verified snapshot of their own which is no older than the interval."""
    return tuple(
        name
        for name in names
        if (one := _reported(observation.reports.get(name))) is not None
        and latest([one], now) is not None
        and (now - one.taken_at).total_seconds() <= interval_seconds
    )


def snapshot_problems(
    snapshots: Snapshots, names: Sequence[str], observation: Observation, now: datetime
) -> list[Problem]:
    """Too old, or none at all, once INTERVALS have passed since the timers were started.

    A member that reports a snapshot dated in the future is named; such a snapshot is ignored.
    """
    if snapshots.interval_seconds is None:
        return []
    return [*_from_the_future(names, observation, now), *_overdue(snapshots, names, observation, now)]


def _from_the_future(names: Sequence[str], observation: Observation, now: datetime) -> list[Problem]:
    found = []
    for name in names:
        reported = _reported(observation.reports.get(name))
        why = why_not_yet(reported.taken_at, now) if reported else None
        if reported and why:
            fix = f"correct its clock: {on(name, 'date')}"
            found.append(problem(f"{name} reports the snapshot {reported.id}, which is ignored", why=why, fix=fix))
    return found


def _reported(report: HostReport | None) -> LastSnapshot | None:
    return report.snapshots.state.last_verified if report and report.snapshots and report.snapshots.state else None


TAKE = f"`haplane snapshot take {INVENTORY}` takes one, or shows what prevents it"


def _overdue(snapshots: Snapshots, names: Sequence[str], observation: Observation, now: datetime) -> list[Problem]:
    if snapshots.interval_seconds is None:
        return []
    allowed = INTERVALS * snapshots.interval_seconds
    timers = [report.units.get(TIMER_UNIT) for report in observation.of(names)]
    started = min((timer.active_since for timer in timers if timer and timer.active), default=0.0)
    if now.timestamp() - started <= allowed:
        return []
    if snapshots.age_seconds is None:
        reporting = [report for report in observation.of(names) if report.snapshots is not None]
        due = f"though one is due every {snapshots.interval_seconds} s"
        if len(reporting) < len(names):  # what is unknown is not missing
            what = f"the members that respond report no verified snapshot, {due}"
            return [problem(what, why=_last_error(snapshots), fix=TAKE)] if reporting else []
        what = f"no verified snapshot has been taken yet, {due}"
        return [problem(what, why=_last_error(snapshots), fix=TAKE)]
    if snapshots.age_seconds <= allowed:
        return _unwitnessed(snapshots, names, observation, now)
    what = (
        f"the last verified snapshot is {snapshots.age_seconds:.0f} s old, "
        f"which is over {INTERVALS} intervals of {snapshots.interval_seconds} s"
    )
    return [problem(what, why=_last_error(snapshots), fix=TAKE)]


def _unwitnessed(
    snapshots: Snapshots, names: Sequence[str], observation: Observation, now: datetime
) -> list[Problem]:
    """Members that do not lead take turns, so two of three have a recent one: the word of one is not enough there."""
    allowed = INTERVALS * (snapshots.interval_seconds or 0)
    recent = with_recent(allowed, names, observation, now)
    serving = [name for name in names if _serves(observation.reports.get(name))]
    if len(recent) >= min(WITNESSES, len(serving) - 1):
        return []
    others = [name for name in serving if name not in recent]
    what = f"only {', '.join(recent) or 'nobody'} reports a verified snapshot of the last {allowed} s"
    why = _last_error(snapshots) or "members take turns, and no other one has taken its own"
    return [problem(what, why=why, fix=f"{journal(others[0], AGENT_UNIT)} shows what it did")]


def _serves(report: HostReport | None) -> bool:
    return report is not None and report.etcd.reads_through_quorum


def _last_error(snapshots: Snapshots) -> str | None:
    """What a member that failed complained of last."""
    failing = (one for one in snapshots.members if one.last_error and one.last_outcome != "ok")
    return next((f"{one.name}: {one.last_error}" for one in failing), None)


def _member(name: str, report: HostReport | None) -> MemberSnapshots:
    reported = report.snapshots if report else None
    if reported is None or reported.state is None:
        return MemberSnapshots(name=name, local=reported.local if reported else None)
    state = reported.state
    return MemberSnapshots(
        name=name,
        last_taken_at=state.last_verified.taken_at.isoformat() if state.last_verified else None,
        last_outcome=state.last_attempt.outcome if state.last_attempt else None,
        last_error=state.last_error.message if state.last_error else None,
        without_quorum=state.without_quorum,
        skipped=state.skipped,
        local=reported.local,
    )
