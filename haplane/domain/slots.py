"""Which etcd member takes the snapshot of a slot; every member computes it alike.

A slot is one interval of Unix time: slot n lasts from ``n * interval`` to ``(n + 1) * interval``. Eligible are the
healthy members without the leader, or the leader alone where nobody else is healthy, in the order of their names. The
owner of a slot acts at its start, its deputy (the next in that order) at its middle, unless the slot is delivered. A
member that sees no quorum sees itself as the only healthy one, so that all slots are its own.

Nothing here reads a clock or a network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Candidate:
    """An etcd member as seen from one host. ``leader`` and ``healthy`` are that host's view."""

    name: str
    healthy: bool
    leader: bool = False


class Half(Enum):
    """The two times in a slot at which the timer fires."""

    START = "start"
    MIDDLE = "middle"


@dataclass(frozen=True)
class Turn:
    """Whose turn a time is: the number of its slot, and the half of it."""

    slot: int
    half: Half


def turn_at(now: float, interval_seconds: int) -> Turn:
    """The slot and half that ``now`` (Unix seconds) falls into. Raises ValueError for an interval below 2."""
    if interval_seconds < 2:
        raise ValueError("a slot lasts at least two seconds")
    slot, second = divmod(now, interval_seconds)
    return Turn(int(slot), Half.START if second < interval_seconds / 2 else Half.MIDDLE)


def eligible(members: Iterable[Candidate]) -> tuple[str, ...]:
    """Names of those that may take a snapshot, sorted; empty only where no member is healthy."""
    healthy = [member for member in members if member.healthy]
    followers = [member for member in healthy if not member.leader]
    return tuple(sorted(member.name for member in followers or healthy))


def owner(slot: int, names: Collection[str]) -> str:
    """The eligible member whose turn the slot is. Raises ValueError when ``names`` is empty."""
    return _by_turn(slot, names)


def deputy(slot: int, names: Collection[str]) -> str:
    """The member that acts when the owner has not delivered by the middle: the next one, if there is another."""
    return _by_turn(slot + 1, names)


def on_duty(turn: Turn, names: Collection[str]) -> str:
    """The member that has to act at that turn. Raises ValueError when ``names`` is empty."""
    return owner(turn.slot, names) if turn.half is Half.START else deputy(turn.slot, names)


def _by_turn(number: int, names: Collection[str]) -> str:
    if not names:
        raise ValueError("no member is eligible")
    return sorted(names)[number % len(names)]
