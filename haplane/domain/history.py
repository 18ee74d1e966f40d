"""Which snapshot is the latest, and which ones a clock or the cluster's own revisions contradict. Pure.

One rule for listing, verifying, restoring and status. etcd's revision only ever grows, a restore included, so the
latest snapshot is the one with the highest revision; time breaks a tie. A signature proves who wrote the time and the
revision, not that they are true: one member with a wrong clock, or in wrong hands, must not decide for all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Protocol, TypeVar

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a member's clock may be ahead of the one that judges."""

CONTRADICTION = timedelta(minutes=15)
"""Later by so much is later by any two clocks that serve one cluster."""

HIGHEST_REVISION = 1 << 52
"""etcd counts to 2^63. No cluster gets here by itself, and a restore raises the revision above every one it knows of:
one member that signs an absurd one would make it the cluster's, and leave later restores no room."""

WITNESSES = 2
"""So many other members have to contradict a revision: one may be the one that is wrong."""


class Dated(Protocol):
    """``taken_at`` has a time zone."""

    @property
    def taken_at(self) -> datetime: ...

    @property
    def revision(self) -> int: ...


class Witnessed(Dated, Protocol):
    """``member`` is who signed it."""

    @property
    def member(self) -> str: ...


Point = TypeVar("Point", bound=Dated)


def why_not_yet(taken_at: datetime, now: datetime) -> str | None:
    """Why a snapshot of that time does not count: it is from the future, by the clock of whoever evaluates it."""
    ahead = taken_at - now
    if ahead <= CLOCK_TOLERANCE:
        return None
    wrong = "its member's clock is wrong, or the one here, or the member is compromised"
    return f"it is dated {_length(ahead)} in the future: {wrong}"


def why_incredible(revision: int) -> str | None:
    """Why data with that revision does not count: no cluster reaches it."""
    if revision <= HIGHEST_REVISION:
        return None
    return f"its revision {revision} is one that no cluster reaches: its member is compromised"


def contradicted(points: Sequence[Witnessed]) -> dict[int, str]:
    """By position, why a snapshot's revision is not credible: later ones were lower.

    At least WITNESSES other members have to have taken a snapshot more than CONTRADICTION later at a lower revision.
    """
    lowest = {member: _lowest_from(points, member) for member in {point.member for point in points}}
    found = {}
    for place, point in enumerate(points):
        lower = {
            member: revision
            for member, (times, revisions) in lowest.items()
            if member != point.member
            and (later := bisect_right(times, point.taken_at + CONTRADICTION)) < len(times)
            and (revision := revisions[later]) < point.revision
        }
        if len(lower) >= WITNESSES:
            reported = ", ".join(f"{member} at {revision}" for member, revision in sorted(lower.items()))
            found[place] = f"its revision {point.revision} contradicts later snapshots: {reported}"
    return found


def _lowest_from(points: Sequence[Witnessed], member: str) -> tuple[list[datetime], list[int]]:
    """A member's times, ascending, and the lowest revision that it had at or after each of them."""
    own = sorted((point.taken_at, point.revision) for point in points if point.member == member)
    revisions = list(accumulate((revision for _, revision in reversed(own)), min))
    return [taken_at for taken_at, _ in own], revisions[::-1]


def latest(points: Iterable[Point], now: datetime) -> Point | None:
    """The one with the highest revision, of several the youngest; none from the future, none beyond belief."""
    dated = (point for point in points if why_not_yet(point.taken_at, now) is None)
    counted = (point for point in dated if why_incredible(point.revision) is None)
    return max(counted, key=lambda point: (point.revision, point.taken_at), default=None)


def _length(ahead: timedelta) -> str:
    if ahead >= timedelta(days=2):
        return f"{ahead.days} days"
    return f"{ahead.total_seconds() / 60:.0f} minutes"
