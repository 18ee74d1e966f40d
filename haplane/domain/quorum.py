"""Quorum arithmetic: which etcd member haplane may take out of service or remove.

The invariant: **a member is stopped only while the members that stay healthy without it are still a majority of all
voters.** Voters are every voting member on the list, dead ones included: a dead member counts against the majority
until it is removed. A learner has no vote, so stopping one is always safe, and it never helps a majority. Starting a
member is never a question. Stopping a member that is not healthy costs nothing that is not lost already, but it is
allowed only while there is a majority: without one, every member that still holds data may be the last that does.

Nothing here knows a clock or a network: the observation is passed in, the verdict carries its arithmetic in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class MemberState(Enum):
    """One etcd member as observed."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    LEARNER = "learner"

    @property
    def votes(self) -> bool:
        """Whether it counts among the voters."""
        return self is not MemberState.LEARNER


@dataclass(frozen=True)
class Verdict:
    """Whether it is safe, and the arithmetic to show either way."""

    allowed: bool
    arithmetic: str


def majority(voters: int) -> int:
    """How many of so many voters must agree. Raises ValueError for less than one voter."""
    if voters < 1:
        raise ValueError("a cluster has at least one voter")
    return voters // 2 + 1


def has_quorum(voters: int, healthy: int) -> bool:
    """Whether so many healthy voters can commit writes."""
    return healthy >= majority(voters)


def can_lose(voters: int, healthy: int) -> int:
    """How many more voters may fail before writes stop; 0 also where they stopped already."""
    return max(0, healthy - majority(voters))


def may_stop(members: Mapping[str, MemberState], name: str) -> Verdict:
    """Whether that member may be stopped now. Raises KeyError for a name that is not a member."""
    state = members[name]
    if not state.votes:
        return Verdict(True, f"{name} is a learner and has no vote")
    voters = sum(member.votes for member in members.values())
    healthy = sum(member is MemberState.HEALTHY for member in members.values())
    needed = majority(voters)
    left = healthy - (state is MemberState.HEALTHY)
    counted = f"{voters} voters need {needed} healthy; {healthy} are"
    if healthy < needed:
        return Verdict(False, f"{counted}: there is no quorum, and {name} may have the newest data")
    if left < needed:
        return Verdict(False, f"{counted}, without {name} {left} would remain: writes would stop")
    return Verdict(True, f"{counted}, without {name} {left} remain")
