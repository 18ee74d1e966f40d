"""From etcd's member list and the inventory to the next change of membership that is safe. Pure.

The invariants: **one change at a time, and after each the members that serve are a majority of the voters**, so that
our hand never stops writes. What is dead or unwanted goes before anything comes: removing a dead voter never lowers
what the cluster tolerates, and a replaced member makes no more voters than there were. A newcomer has no vote until
it has caught up. One that serves and is to leave goes last, when every machine of the inventory is a voter.

Changes end: each of them takes away something that is wrong, and no change makes anything wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from haplane.domain.quorum import Verdict, has_quorum, majority

NO_QUORUM = "etcd has no quorum"


@dataclass(frozen=True)
class Listed:
    """A line of etcd's list. One that has never started has no name; a learner serves when it answers at all."""

    id: int
    name: str
    address: str
    learner: bool
    serves: bool


@dataclass(frozen=True)
class Machine:
    """One that the inventory wants as a member. ``discards``: its data is to be discarded.

    ``is_member``: by its own report it votes, or did when its etcd last ran.
    """

    name: str
    address: str
    answers: bool
    has_data: bool
    discards: bool = False
    is_member: bool = False


@dataclass(frozen=True)
class Membership:
    """One moment. ``may_leave`` are addresses of hosts that answer and are to leave, ``alarms`` IDs etcd warns of."""

    listed: tuple[Listed, ...]
    machines: tuple[Machine, ...]
    may_leave: frozenset[str] = frozenset()
    alarms: frozenset[int] = frozenset()

    @property
    def voters(self) -> tuple[Listed, ...]:
        """Those with a vote, dead ones included."""
        return tuple(member for member in self.listed if not member.learner)

    @property
    def healthy(self) -> int:
        """How many voters serve."""
        return sum(member.serves for member in self.voters)

    def machine_of(self, member: Listed) -> Machine | None:
        """The wanted machine that this member is: of its address, and of its name once it has started."""
        for machine in self.machines:
            if machine.address == member.address and member.name in ("", machine.name):
                return machine
        return None

    def arithmetic(self) -> str:
        """The count that everything is decided by."""
        voters = len(self.voters)
        return f"{voters} voters need {majority(voters)} healthy; {self.healthy} are"


class Act(Enum):
    """What a change does to the list."""

    DISARM = "disarm etcd's alarm"
    REMOVE = "remove"
    ADD = "add as a learner"
    START = "start the learner"
    PROMOTE = "promote once it has caught up"
    LEAVE = "remove once it no longer serves"


@dataclass(frozen=True)
class Change:
    """One change. ``id`` is the member's, 0 for one that is still to get it; ``why`` is for the plan."""

    act: Act
    name: str
    address: str
    id: int = 0
    why: str = ""


@dataclass(frozen=True)
class Blocked:
    """Something should change and must not. ``remedy``: what to run where that is not the usual."""

    what: str
    why: str
    remedy: str | None = None


def next_change(now: Membership) -> Change | Blocked | None:
    """The one change that is next, why there must be none, or None when the members are as wanted."""
    voters = len(now.voters)
    if not voters or not has_quorum(voters, now.healthy):
        counted = now.arithmetic() if voters else "no majority of members agrees on the member list"
        return Blocked(NO_QUORUM, counted) if _something_is_wrong(now) else None
    if (change := _disarm(now)) is not None:
        return change
    return next((found for step in STEPS for found in step(now)), None)


def _something_is_wrong(now: Membership) -> bool:
    return any(True for step in STEPS for _ in step(now)) or any(machine.discards for machine in now.machines)


def _disarm(now: Membership) -> Change | None:
    """An alarm about a member that is gone stops every write until it is taken back."""
    if not now.alarms or now.alarms & {member.id for member in now.listed}:
        return None
    return Change(Act.DISARM, "", "", why="the corrupt member is gone")


def _unknown_members(now: Membership) -> Iterator[Blocked]:
    for member in now.voters:
        if member.serves and now.machine_of(member) is None and member.address not in now.may_leave:
            yield Blocked(
                f"{_name(member)} at {member.address} is a serving etcd member that is not in the inventory "
                "or unreachable by ssh",
                "removing it now would fail the requests of clients connected to its API server",
            )


def _learners(now: Membership) -> Iterator[Change]:
    for member in now.listed:
        if not member.learner:
            continue
        machine = now.machine_of(member)
        why = _why_remove(member, machine)
        if machine is not None and not machine.answers:
            why = "its host is unreachable; it is added again once the host is back"
        if why is not None:
            yield _change(Act.REMOVE, member, why, machine)
        elif member.serves:
            yield _change(Act.PROMOTE, member, "", machine)
        else:
            yield _change(Act.START, member, "", machine)


def _dead_voters(now: Membership) -> Iterator[Change]:
    return (found for found in _removals(now) if isinstance(found, Change))


def _dead_voters_that_must_stay(now: Membership) -> Iterator[Blocked]:
    return (found for found in _removals(now) if isinstance(found, Blocked))


def _removals(now: Membership) -> Iterator[Change | Blocked]:
    for member in sorted(now.voters, key=lambda voter: voter.serves):  # the dead are the majority's least loss
        machine = now.machine_of(member)
        why = _why_remove(member, machine)
        leaves = machine is None and (member.serves or member.address in now.may_leave)
        if why is None or leaves:
            continue  # a host that leaves is taken out by its own steps, also when it is late to say that it serves
        verdict = may_remove(now, member)
        yield _change(Act.REMOVE, member, why, machine) if verdict.allowed else _blocked(member, verdict)


def _newcomers(now: Membership) -> Iterator[Change | Blocked]:
    """Adding one moves its data away, so never against its own report: the list may be the one that is wrong."""
    known = [now.machine_of(member) for member in now.listed]
    for machine in now.machines:
        if not machine.answers or machine in known:
            continue
        if machine.is_member and not machine.discards:
            yield Blocked(
                f"{machine.name} reports that it is an etcd member with data, but the member list does not have it",
                "adding it again would move its data away",
                f"if that data can be discarded: `haplane node repair INVENTORY {machine.name}`",
            )
        else:
            yield Change(Act.ADD, machine.name, machine.address)


def _leavers(now: Membership) -> Iterator[Change | Blocked]:
    for member in now.voters:
        if now.machine_of(member) is None:
            yield leave(now, member)


def leave(now: Membership, member: Listed) -> Change | Blocked:
    """The removal of a voter that serves and is to leave, or why it must stay for now."""
    voting = [now.machine_of(voter) for voter in now.voters]
    missing = [machine.name for machine in now.machines if machine not in voting]
    verdict = may_remove(now, member)
    if missing:
        return Blocked(
            f"{member.name} cannot be decommissioned yet", f"{', '.join(missing)} must become members first"
        )
    return _change(Act.LEAVE, member, "it is being decommissioned") if verdict.allowed else _blocked(member, verdict)


STEPS: tuple[Callable[[Membership], Iterator[Change | Blocked]], ...] = (
    _unknown_members,
    _dead_voters,
    _learners,
    _dead_voters_that_must_stay,
    _newcomers,
    _leavers,
)
"""In this order: one is taken only when those before it find nothing."""


def _why_remove(member: Listed, machine: Machine | None) -> str | None:
    if machine is None:
        return "not in the inventory" if member.serves else "not in the inventory, and unreachable"
    if machine.discards:
        return "its data is to be discarded"
    never_started = member.learner and not member.name
    if machine.answers and not machine.has_data and not member.serves and not never_started:
        return "its data is gone"
    return None


def _change(act: Act, member: Listed, why: str, machine: Machine | None = None) -> Change:
    name = machine.name if machine else _name(member)
    return Change(act, name, member.address, member.id, why)


def _name(member: Listed) -> str:
    return member.name or f"{member.id:x}"


def _blocked(member: Listed, verdict: Verdict) -> Blocked:
    return Blocked(f"{_name(member)} must not be removed from etcd now", verdict.arithmetic)


def may_remove(now: Membership, member: Listed) -> Verdict:
    """Whether those that stay, without this voter, are enough for a majority of themselves."""
    voters = len(now.voters) - 1
    left = now.healthy - member.serves
    counted = f"{now.arithmetic()}; without {_name(member)}, {left} of {voters} would be"
    if voters < 1:
        return Verdict(False, f"{counted}: it is the last one")
    return Verdict(has_quorum(voters, left), f"{counted}, and {majority(voters)} are needed")
