"""Refuse to take a host out of service while the others would not carry on without it (``domain/guard.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.domain.guard import Guard, may_restart_apiserver, may_restart_etcd, may_stop_balancer
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


def refuse_unreachable(context: Context, hosts: list[Host]) -> None:
    """Raises Unreachable when one of them did not answer."""
    if lost := [host.name for host in hosts if host.name not in context.observation.reports]:
        raise Unreachable(
            f"{', '.join(lost)} cannot be reached; nothing was changed",
            why="; ".join(context.observation.unreachable.get(name, "no response") for name in lost),
            next_step="start it, or name the other hosts",
        )


def refuse_unsafe_now(context: Context, host: Host) -> None:
    """As :func:`refuse_unsafe`, for the first to go: nobody is asked about what cannot be done."""
    reports = context.observation.reports
    for group, guard in _guards(context, host):
        if not guard({other.name: reports.get(other.name) for other in group}, host.name).allowed:
            refuse_unless(context, host, group, guard)


def refuse_unsafe(context: Context, host: Host) -> None:
    """Raises Refused unless API servers, etcd and load balancers carry on without it, each looked at anew."""
    for group, guard in _guards(context, host):
        refuse_unless(context, host, group, guard)


def _guards(context: Context, host: Host) -> Iterator[tuple[tuple[Host, ...], Guard]]:
    """Whoever it shares a task with, and the rule of that."""
    inventory = context.inventory
    if host in inventory.masters:
        yield inventory.masters, may_restart_apiserver
    if host in inventory.etcd:
        yield inventory.etcd, may_restart_etcd
    if host in inventory.balancer_hosts:
        masters = {master.name for master in inventory.masters}
        yield inventory.balancer_hosts, partial(may_stop_balancer, masters=masters)
