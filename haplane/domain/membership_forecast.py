"""The changes of members that are still to come, if all goes well. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from haplane.domain.membership import Act, Blocked, Change, Listed, Machine, Membership, next_change


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
                replace(machine, discards=False, has_data=False, is_member=False)
                if machine == now.machine_of(gone)
                else machine
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
        replace(machine, has_data=has_data, is_member=machine.is_member and has_data)
        if machine.name == change.name
        else machine
        for machine in machines
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
