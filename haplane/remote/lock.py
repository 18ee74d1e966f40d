"""One run at a time changes hosts, and one that lost its lock changes nothing more.

On every host that a run will touch, a holder process has that host's lock for as long as it hears from here. The run
has the cluster's lock once it has all of these, and they include a majority of the inventory's masters and etcd
machines: two majorities share a host, and a host has one holder. Every run asks host after host in the same order, so
of two that start together the one that comes second to the first host they share is refused there.

While the lock is held, every command on these hosts goes through a shell that vanishes with the holder.
"""

from __future__ import annotations

import getpass
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from haplane.config.model import Host, Inventory
from haplane.config.source import GROUPS
from haplane.domain.progress import Progress
from haplane.domain.quorum import majority
from haplane.errors import HaplaneError, Locked, LockLost, Unreachable
from haplane.remote.connector import dial_again, hang_up
from haplane.remote.holder import DIRECTORY, Holder, Owner

HEARTBEAT_SECONDS = 0.5
SILENCE_SECONDS = 8.0  # as in on_host/hold.py: a holder that hears nothing for so long has given the lock up
RELEASE_SECONDS = 10.0


@dataclass(frozen=True)
class Lock:
    """The lock while it is held. Every command on a host of ``inventory`` goes through the run's shell."""

    inventory: Inventory
    holders: Sequence[Holder]
    _breakable: threading.Event

    def check(self) -> None:
        """Raises LockLost when it is no longer held everywhere."""
        if lost := self.lost():
            raise _lost(lost, None)

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """When a host is lost meanwhile, what the others are at is broken off; else they end it.

        Raises LockLost then, whether or not what was broken off was an error.
        """
        self._breakable.set()
        try:
            yield
        except HaplaneError:
            self.check()  # of what was broken off there is nothing to tell
            raise
        else:
            self.check()
        finally:
            self._breakable.clear()

    def lost(self) -> list[Host]:
        """The hosts that do not say within SILENCE_SECONDS that their lock is held."""
        deadline = time.monotonic() + SILENCE_SECONDS
        for holder in self.holders:
            holder.ask()
        return [holder.host for holder in self.holders if not holder.holds(deadline - time.monotonic())]


@contextmanager
def locked(inventory: Inventory, hosts: Sequence[Host], command: str, progress: Progress) -> Iterator[Lock]:
    """Hold the lock on ``hosts``, all that the run will touch, until the end of the block.

    ``command`` is what others are told. Raises, with nothing changed: Locked when another run holds the lock,
    Unreachable when one of the hosts is, or when they are no majority of the inventory's masters and etcd machines.
    When the lock was lost, a HaplaneError out of the block becomes LockLost that tells of it.
    """
    _refuse_minority(inventory, hosts)
    progress("lock", f"taking it on {', '.join(host.name for host in hosts)}")
    token = secrets.token_hex(8)
    holders = [Holder(host) for host in sorted(hosts, key=lambda host: host.address)]
    try:
        breakable = threading.Event()
        with _heartbeat(holders, breakable, progress):
            _take_all(holders, token, _ourselves(command))
            lock = Lock(_through(f"sh {DIRECTORY}/run-{token}", inventory), holders, breakable)
            try:
                yield lock
            except LockLost:
                raise
            except HaplaneError as error:
                if lost := lock.lost():
                    raise _lost(lost, error) from error
                raise
    finally:
        _release(holders)


@contextmanager
def _heartbeat(holders: Sequence[Holder], breakable: threading.Event, progress: Progress) -> Iterator[None]:
    ended = threading.Event()
    alive = list(holders)

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            for holder in list(alive):
                if holder.has_ended():
                    alive.remove(holder)
                    miss(holder.host)
                holder.beat()

    def miss(host: Host) -> None:
        broken_off = breakable.is_set()
        rest = "what the others are at is broken off" if broken_off else "the others end what they are at"
        progress(host.name, f"answers no more; {rest}")
        for gone in [holder.host for holder in holders] if broken_off else [host]:
            hang_up(gone)  # else its commands would be waited for until their own deadlines

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
        dial_again()


def _take_all(holders: Sequence[Holder], token: str, owner: Owner) -> None:
    for holder in holders:
        answer = holder.take(token, owner)
        if not answer.granted:
            raise Locked(
                "another run is changing this cluster; nothing was changed",
                where=holder.host.name,
                why=str(answer.holder or "it has not said who it is"),
                next_step="wait for it to end, or end it there: the lock of a killed run is free within 10 s",
            )


def _release(holders: Sequence[Holder]) -> None:
    deadline = time.monotonic() + RELEASE_SECONDS
    for holder in holders:
        holder.hang_up()
    for holder in holders:
        holder.wait(max(0.0, deadline - time.monotonic()))


def _refuse_minority(inventory: Inventory, hosts: Sequence[Host]) -> None:
    voters = {host.name for host in inventory.masters + inventory.etcd}
    reached = voters & {host.name for host in hosts}
    needed = majority(len(voters))
    if len(reached) < needed:
        raise Unreachable(
            f"the lock needs {needed} of {len(voters)} masters and etcd machines, and {len(reached)} can be reached",
            where=", ".join(sorted(voters - reached)),
            why="another run may hold it on those",
            next_step="check that they are on and that ssh to them works, then run again",
        )


def _through(shell: str, inventory: Inventory) -> Inventory:
    """The inventory with that shell on all hosts: on one that was not reached and comes back it is missing."""
    groups = {
        group: tuple(host.model_copy(update={"ssh": host.ssh.model_copy(update={"shell": shell})}) for host in hosts)
        for group, hosts in inventory
        if group in GROUPS
    }
    return inventory.model_copy(update=groups)


def _ourselves(command: str) -> Owner:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Owner(user=getpass.getuser(), machine=socket.gethostname(), command=command, since=since)


def _lost(hosts: Sequence[Host], consequence: HaplaneError | None) -> LockLost:
    names = ", ".join(host.name for host in hosts)
    failed = f"; what failed then: {consequence.what}: {consequence.why}" if consequence else ""
    return LockLost(
        f"the lock was lost on {names}: this run can change nothing more there and ends",
        where=names,
        why=f"the host went down, the connection was cut, or it heard nothing for {SILENCE_SECONDS:.0f} s{failed}",
        next_step="run the same command again: it carries on from here, or says who has the lock now",
    )
