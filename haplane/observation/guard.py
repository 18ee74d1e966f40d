"""Refuse to take a host out of service while the others would not carry on without it (``domain/guard.py``)."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.guard import Guard
from haplane.domain.quorum import Verdict
from haplane.errors import Refused, Unreachable
from haplane.observation.observe import observe_briefly
from haplane.observation.waiting import Obstacle, look_until_clear

LATE_SECONDS = 15.0
"""One that serves answers within that, also on a busy host."""


def refuse_unless(context: Context, host: Host, group: tuple[Host, ...], guard: Guard) -> None:
    """Raises Refused unless the guard allows that this one of the group goes out of service now.

    Raises Unreachable when it or another of the group went away by itself meanwhile: who comes next would be a second
    one out. One that answered too late on a busy host is looked at again for LATE_SECONDS.
    """
    known = set(context.observation.unreachable)

    def look(context: Context) -> None:
        observe_briefly(context)
        _refuse_lost(context, host, group, known)

    def verdict() -> Verdict:
        return guard({other.name: context.observation.reports.get(other.name) for other in group}, host.name)

    def obstacle() -> Obstacle | None:
        found = verdict()
        return None if found.allowed else Obstacle(host.name, f"waiting: {found.arithmetic}")

    look(context)
    if look_until_clear(context, obstacle, LATE_SECONDS, look=look):
        raise Refused(
            f"{host.name} must not be taken out of service now",
            why=verdict().arithmetic,
            next_step="bring the others back first (`haplane status INVENTORY` names them), then run again",
        )


def _refuse_lost(context: Context, host: Host, group: tuple[Host, ...], known: set[str]) -> None:
    unreachable = context.observation.unreachable
    if gone := [one for one in group if one.name in unreachable and (one == host or one.name not in known)]:
        names = ", ".join(one.name for one in gone)
        raise Unreachable(
            f"{names} cannot be reached any more; nothing else was taken out of service",
            where=names,
            why="; ".join(unreachable[one.name] for one in gone),
            next_step="check that it is on and that ssh to it works, then run the same command again",
        )
