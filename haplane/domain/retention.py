"""Which snapshots are kept, and which may be removed.

The invariant: **the newest verified snapshot of a member is never removable**, whatever the policy says. No clock
takes part: a policy keeps the newest snapshot of each of the last so many hours, days, ... *that have one*, so that
old snapshots are not removed while no new ones are taken, nor when a clock jumps.

The policy is applied to each member's snapshots separately: whoever has stolen a member's signing key can add to that
member's history, and displaces nothing of the others'.

A snapshot that is not verified ("without quorum") displaces no verified one: the newest ``last`` of those younger
than the newest verified snapshot are kept as well, because they may hold the newest data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class KeepPolicy:
    """The last so many are kept, and the newest of each of so many hours, days, ISO weeks and months (UTC)."""

    last: int = 10
    hourly: int = 24
    daily: int = 7
    weekly: int = 0
    monthly: int = 0

    def __post_init__(self) -> None:
        if any(number < 0 for number in (self.last, self.hourly, self.daily, self.weekly, self.monthly)):
            raise ValueError("a number of snapshots to keep is not negative")


@dataclass(frozen=True)
class Taken:
    """A snapshot for retention: ``taken_at`` has a time zone; ``verified``: it was taken with quorum.

    ``signer`` names the history that it belongs to: :func:`keep` treats each separately.
    """

    id: str
    taken_at: datetime
    verified: bool = True
    signer: str = ""


@dataclass(frozen=True)
class Verdict:
    """Both newest first; together all the snapshots that were given."""

    kept: tuple[Taken, ...]
    removable: tuple[Taken, ...]


def keep(snapshots: Iterable[Taken], policy: KeepPolicy) -> Verdict:
    """Apply the policy to ``snapshots``, in any order; those of the same time are ordered by id."""
    newest_first = sorted(snapshots, key=lambda taken: (taken.taken_at, taken.id), reverse=True)
    wanted: set[str] = set()
    for signer in {taken.signer for taken in newest_first}:
        wanted |= _wanted([taken for taken in newest_first if taken.signer == signer], policy)
    return Verdict(
        kept=tuple(taken for taken in newest_first if taken.id in wanted),
        removable=tuple(taken for taken in newest_first if taken.id not in wanted),
    )


def by_signer(snapshots: Iterable[Taken]) -> dict[str, int]:
    """How many each member signed, by its name."""
    return dict(sorted(Counter(taken.signer for taken in snapshots).items()))


def _wanted(newest_first: Sequence[Taken], policy: KeepPolicy) -> set[str]:
    verified = [taken for taken in newest_first if taken.verified]
    wanted = {taken.id for taken in verified[: max(policy.last, 1)]}
    for number, period in _periods(policy):
        wanted |= _newest_of_each(verified, number, period)
    younger = newest_first[: newest_first.index(verified[0])] if verified else newest_first
    return wanted | {taken.id for taken in younger[: max(policy.last, 1)]}


def _periods(policy: KeepPolicy) -> tuple[tuple[int, Callable[[datetime], tuple[int, ...]]], ...]:
    return (
        (policy.hourly, lambda taken: (taken.year, taken.month, taken.day, taken.hour)),
        (policy.daily, lambda taken: (taken.year, taken.month, taken.day)),
        (policy.weekly, lambda taken: tuple(taken.isocalendar()[:2])),
        (policy.monthly, lambda taken: (taken.year, taken.month)),
    )


def _newest_of_each(
    newest_first: Iterable[Taken], number: int, period: Callable[[datetime], tuple[int, ...]]
) -> set[str]:
    chosen: dict[tuple[int, ...], str] = {}
    for taken in newest_first:
        chosen.setdefault(period(taken.taken_at.astimezone(UTC)), taken.id)
    return set(list(chosen.values())[:number])
