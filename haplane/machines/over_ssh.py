"""The driver of hosts that are only reached over SSH: it can reboot them without warning, and not keep them off."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Self

from haplane.config.model import Host, Inventory
from haplane.domain import host_paths
from haplane.errors import HaplaneError, Refused
from haplane.executor import Executor
from haplane.machines.protocol import Part
from haplane.waiting import wait_until

BOOT_SECONDS = 600.0
# reboot(2) at once: no unit is stopped, nothing is flushed. It runs after ssh has gone, which would hang otherwise.
RESET = "systemd-run --quiet --collect --on-active=1 systemctl reboot --force --force"


class SshMachines:
    """A :class:`haplane.machines.protocol.Machines`."""

    driver = "ssh"
    disposable = False
    keeps_off = False

    def __init__(self, inventory: Inventory, executor: Executor) -> None:
        self.inventory = inventory
        self.executor = executor

    def power_cut(self, hosts: Sequence[str]) -> Part:
        return lambda _seconds: Reset(self.executor, [self.inventory.host(host) for host in hosts])

    def wipe(self, hosts: Sequence[str], only: str | None = None) -> None:
        raise Refused("haplane destroys the disks of lab hosts only", where=", ".join(hosts))


class Reset:
    """A :class:`haplane.machines.protocol.Armed` that needs no watchdog: the hosts boot by themselves."""

    def __init__(self, executor: Executor, hosts: Sequence[Host]) -> None:
        self._executor = executor
        self._hosts = hosts
        self._before: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()

    def apply(self) -> None:
        self._before = {host.name: self._boot_id(host) for host in self._hosts}
        for host in self._hosts:
            self._executor.run(host, "sh", "-c", RESET)

    def undo(self) -> None:
        for host in self._hosts:
            if before := self._before.pop(host.name, None):
                what = f"{host.name} responds after its boot"
                booted = partial(self._has_booted, host, before)
                wait_until(booted, BOOT_SECONDS, what, every=2.0, clock=self._executor)

    def _has_booted(self, host: Host, before: bytes) -> bool:
        try:
            return self._boot_id(host) != before
        except HaplaneError:
            return False

    def _boot_id(self, host: Host) -> bytes:
        return self._executor.run(host, "cat", host_paths.BOOT_ID, deadline_seconds=10)
