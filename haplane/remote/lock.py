"""One run at a time changes hosts, and one that lost its lock changes nothing more.

On every host that a run will touch, a holder process has that host's lock for as long as it hears from here. The run
has the cluster's lock once it has all of these, and they include a majority of the inventory's masters and etcd
hosts: two majorities share a host, and a host has one holder. Every run asks host after host in the same order, so
of two that start together the one that comes second to the first host they share is refused there.

While the lock is held, every command on these hosts goes through a shell that vanishes with the holder.
"""

from __future__ import annotations

import getpass
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from haplane.config.model import Host, Inventory
from haplane.config.source import GROUPS
from haplane.domain import host_paths
from haplane.domain.progress import Progress
from haplane.domain.quorum import majority
from haplane.errors import FIX_AND_RERUN, HaplaneError, Locked, LockLost, Unreachable
from haplane.remote.connection import dial_again, hang_up
from haplane.remote.holder import Answer, Holder, Owner

HEARTBEAT_SECONDS = 0.5
SILENCE_SECONDS = 8.0  # as in on_host/hold.py: a holder that hears nothing for so long has given the lock up
RETAKE_SECONDS = 15.0
RELEASE_SECONDS = 3.0
"""An interrupted run ends within 5 s; a host that cannot be reached releases its lock by itself."""


@dataclass(frozen=True)
class Lock:
    """The lock while it is held. Every command on a host of ``inventory`` goes through the run's shell."""

    inventory: Inventory
    holders: list[Holder]
    _heartbeat: _Heartbeat
    _take: Callable[[Host], Holder]

    def check(self) -> None:
        """Raises LockLost when it is no longer held everywhere."""
        if lost := self.lost():
            raise _lost(lost, None)

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """If a host is lost in this block, stop the commands on the others too; elsewhere they run to their end.

        Raises LockLost then.
        """
        self._heartbeat.breakable.set()
        try:
            yield
        except HaplaneError:
            self.check()  # the failure of a command that was stopped is no news
            raise
        else:
            self.check()
        finally:
            self._heartbeat.breakable.clear()

    @contextmanager
    def away(self, host: Host) -> Iterator[None]:
        """Within it the host goes and comes back, as by a reboot; afterwards its lock is held again.

        The other hosts hold the cluster's lock meanwhile. Raises Unreachable, with the host still there, when they
        are no majority; Locked when another run has this host's lock afterwards and does not give it up.
        """
        holder = next(one for one in self.holders if one.host.name == host.name)
        _refuse_minority(self.inventory, [one.host for one in self.holders if one is not holder])
        self.holders.remove(holder)
        self._heartbeat.expect_end(holder)
        try:
            yield
        finally:
            _release([holder])
        taken = self._take(holder.host)
        self.holders.append(taken)
        self._heartbeat.add(taken)

    def lost(self) -> list[Host]:
        """The hosts that do not confirm within SILENCE_SECONDS that their lock is held."""
        deadline = time.monotonic() + SILENCE_SECONDS
        for holder in self.holders:
            holder.query()
        return [holder.host for holder in self.holders if not holder.holds(deadline - time.monotonic())]


@contextmanager
def locked(inventory: Inventory, hosts: Sequence[Host], command: str, progress: Progress) -> Iterator[Lock]:
    """Hold the lock on ``hosts``, all that the run will touch, until the end of the block.

    ``command`` is shown to other runs. Raises, with nothing changed: Locked when another run holds the lock,
    Unreachable when one of the hosts is, or when they are no majority of the inventory's masters and etcd hosts.
    When the lock was lost, a HaplaneError out of the block becomes a LockLost that quotes it.
    """
    _refuse_minority(inventory, hosts)
    progress("lock", f"taking it on {', '.join(host.name for host in hosts)}")
    token = secrets.token_hex(8)
    owner = _ourselves(command)
    holders = [Holder(host) for host in sorted(hosts, key=lambda host: host.address)]
    heartbeat = _Heartbeat(holders, progress)
    try:
        with heartbeat.beating():
            _take_all(holders, token, owner)
            through = _through(f"sh {host_paths.LOCKS}/run-{token}", inventory)
            lock = Lock(through, holders, heartbeat, lambda host: _take_again(host, token, owner))
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


class _Heartbeat:
    """Of every holder, by a thread. A host that is lost is reported, and its commands end.

    While ``breakable`` is set, those of the other hosts end too.
    """

    def __init__(self, holders: Sequence[Holder], progress: Progress) -> None:
        self.breakable = threading.Event()
        self._progress = progress
        self._beaten = list(holders)
        self._watched = list(holders)
        self._ended = threading.Event()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Within the block."""
        heart = threading.Thread(target=self._beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            self._ended.set()
            heart.join()
            dial_again()

    def add(self, holder: Holder) -> None:
        """One more."""
        self._beaten = [*self._beaten, holder]
        self._watched = [*self._watched, holder]

    def expect_end(self, holder: Holder) -> None:
        """The host of this one goes on purpose."""
        self._watched = [one for one in self._watched if one is not holder]

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            for holder in self._beaten:
                if holder.has_ended():
                    self._remove(holder)
                holder.beat()

    def _remove(self, holder: Holder) -> None:
        self._beaten = [one for one in self._beaten if one is not holder]
        if any(one is holder for one in self._watched):
            self.expect_end(holder)
            self._miss(holder.host)

    def _miss(self, host: Host) -> None:
        broken_off = self.breakable.is_set()
        rest = "stopping the other hosts' step" if broken_off else "letting the other hosts finish their step"
        self._progress(host.name, f"stopped responding; {rest}")
        for gone in (host, *([holder.host for holder in self._watched] if broken_off else [])):
            hang_up(gone)  # or its commands would run into their own deadlines


def _take_again(host: Host, token: str, owner: Owner) -> Holder:
    """On a host that has come back. Another run may have it for a moment, until the next host refuses it."""
    deadline = time.monotonic() + RETAKE_SECONDS
    while True:
        holder = Holder(host)
        try:
            answer = holder.take(token, owner)
        except BaseException:
            _release([holder])
            raise
        if answer.granted:
            return holder
        _release([holder])
        if time.monotonic() >= deadline:
            raise _held_elsewhere(host, answer)
        time.sleep(1)


def _take_all(holders: Sequence[Holder], token: str, owner: Owner) -> None:
    for holder in holders:
        answer = holder.take(token, owner)
        if not answer.granted:
            raise _held_elsewhere(holder.host, answer)


def _held_elsewhere(host: Host, answer: Answer) -> Locked:
    return Locked(
        "another run is changing this cluster; nothing was changed",
        where=host.name,
        why=str(answer.holder or "unknown holder"),
        next_step="wait for it to end, or end it there: the lock of a killed run is released within 10 s",
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
            f"the lock needs {needed} of {len(voters)} masters and etcd hosts; {len(reached)} can be reached",
            where=", ".join(sorted(voters - reached)),
            why="another run may hold it on the unreachable ones",
            next_step="check that they are on and that ssh to them works, then re-run",
        )


def _through(shell: str, inventory: Inventory) -> Inventory:
    """The inventory with that shell for all hosts; a host that was unreachable and comes back does not have it."""
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
    failed = f"; the step then failed: {consequence.what}: {consequence.why}" if consequence else ""
    return LockLost(
        f"the lock was lost on {names}; this run ends and can change nothing more there",
        where=names,
        why=f"the host or the connection went down, or no heartbeat arrived for {SILENCE_SECONDS:.0f} s{failed}",
        next_step=FIX_AND_RERUN,
    )
