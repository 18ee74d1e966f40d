"""From etcd's member list and the inventory to the next change of membership that is safe. Pure.

The invariants: **one change at a time, and after each the members that serve are a majority of the voters**, so that
our hand never stops writes. What is dead or unwanted goes before anything comes: removing a dead voter never lowers
what the cluster tolerates, and a replaced member makes no more voters than there were. A newcomer has no vote until
it has caught up. One that serves and is to leave goes last, when every machine of the inventory is a voter.

Changes end: each of them takes away something that is wrong, and no change makes anything wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
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
    """One that the inventory wants as a member. ``condemned``: its data are given up, by the operator's word."""

    name: str
    address: str
    answers: bool
    has_data: bool
    condemned: bool = False


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

    DISARM = "take etcd's alarm back"
    REMOVE = "remove"
    ADD = "add as a learner"
    START = "start the learner"
    PROMOTE = "promote once it has caught up"
    LEAVE = "remove, when it serves no more"


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
    """Something should change and must not."""

    what: str
    why: str


def next_change(now: Membership) -> Change | Blocked | None:
    """The one change that is next, why there must be none, or None when the members are as wanted."""
    voters = len(now.voters)
    if not voters or not has_quorum(voters, now.healthy):
        counted = now.arithmetic() if voters else "no member tells the list of members"
        return Blocked(NO_QUORUM, counted) if _something_is_wrong(now) else None
    if (change := _disarm(now)) is not None:
        return change
    return next((found for step in STEPS for found in step(now)), None)


def _something_is_wrong(now: Membership) -> bool:
    return any(True for step in STEPS for _ in step(now)) or any(machine.condemned for machine in now.machines)


def _disarm(now: Membership) -> Change | None:
    """An alarm about a member that is gone stops every write until it is taken back."""
    if not now.alarms or now.alarms & {member.id for member in now.listed}:
        return None
    return Change(Act.DISARM, "", "", why="the corrupt member is gone")


def _strangers(now: Membership) -> Iterator[Blocked]:
    for member in now.voters:
        if member.serves and now.machine_of(member) is None and member.address not in now.may_leave:
            yield Blocked(
                f"{_name(member)} at {member.address} is an etcd member that serves, and it is not in the inventory "
                "or cannot be reached by ssh",
                "taken out of the cluster now, its API server would fail the requests of whoever is connected to it",
            )


def _learners(now: Membership) -> Iterator[Change]:
    for member in now.listed:
        if not member.learner:
            continue
        machine = now.machine_of(member)
        why = _why_remove(member, machine)
        if machine is not None and not machine.answers:
            why = "its machine does not answer; it is added again when it does"
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


def _newcomers(now: Membership) -> Iterator[Change]:
    known = [now.machine_of(member) for member in now.listed]
    for machine in now.machines:
        if machine.answers and machine not in known:
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
        return Blocked(f"{member.name} cannot leave yet", f"{', '.join(missing)} would have to be a member first")
    return _change(Act.LEAVE, member, "it is leaving") if verdict.allowed else _blocked(member, verdict)


STEPS: tuple[Callable[[Membership], Iterator[Change | Blocked]], ...] = (
    _strangers,
    _dead_voters,
    _learners,
    _dead_voters_that_must_stay,
    _newcomers,
    _leavers,
)
"""In this order: one is taken only when those before it find nothing."""


def _why_remove(member: Listed, machine: Machine | None) -> str | None:
    if machine is None:
        return "not in the inventory" if member.serves else "not in the inventory, and it does not answer"
    if machine.condemned:
        return "its data are given up"
    never_started = member.learner and not member.name
    if machine.answers and not machine.has_data and not never_started:
        return "its data are gone"
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


def after(now: Membership, change: Change, new_id: int = 0) -> Membership:
    """The moment after a change that went well; a member that is added gets ``new_id``."""
    listed = list(now.listed)
    machines = now.machines
    alarms = now.alarms
    match change.act:
        case Act.DISARM:
            alarms = frozenset()
        case Act.REMOVE | Act.LEAVE:
            gone = next(member for member in listed if member.id == change.id)
            machines = tuple(
                replace(machine, condemned=False, has_data=False) if machine == now.machine_of(gone) else machine
                for machine in machines
            )
            listed.remove(gone)
        case Act.ADD:
            listed.append(Listed(new_id, "", change.address, learner=True, serves=False))
            machines = _with_data(machines, change, has_data=False)
        case Act.START:
            machines = _with_data(machines, change, has_data=True)
            listed = [_started(member, change) if member.id == change.id else member for member in listed]
        case Act.PROMOTE:
            listed = [replace(member, learner=False) if member.id == change.id else member for member in listed]
    return Membership(tuple(listed), machines, now.may_leave, alarms)


def _with_data(machines: Iterable[Machine], change: Change, *, has_data: bool) -> tuple[Machine, ...]:
    return tuple(
        replace(machine, has_data=has_data) if machine.name == change.name else machine for machine in machines
    )


def _started(member: Listed, change: Change) -> Listed:
    return replace(member, name=change.name, serves=True)


def foresee(now: Membership) -> tuple[tuple[Change, ...], Blocked | None]:
    """Every change up to the end if all goes well, and what would stop them before it."""
    changes: list[Change] = []
    new_id = max((member.id for member in now.listed), default=0)
    while isinstance(change := next_change(now), Change):
        changes.append(change)
        new_id += 1
        now = after(now, change, new_id)
    return tuple(changes), change
