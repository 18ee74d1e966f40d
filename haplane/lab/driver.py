"""What a drill may do to machines, whoever holds their plugs. The lab is the one driver there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.lab import lifecycle


class Machines(Protocol):
    """Power and cables of the hosts of one inventory. Calls are safe to repeat and return when the thing is done."""

    def kill(self, hosts: Sequence[str]) -> None:
        """Cut their power, all at the same moment; nothing is said to peers, nothing is flushed."""

    def start(self, hosts: Sequence[str]) -> None:
        """Power them on with the disks they had, and wait until they answer over SSH."""

    def cut(self, hosts: Sequence[str], *, between: bool = False) -> None:
        """Unplug them; with ``between``, cut only the wire between exactly two."""

    def heal(self, hosts: Sequence[str], *, between: bool = False) -> None:
        """Undo ``cut``."""


class LabMachines:
    """The hosts of the embedded lab."""

    def __init__(self, inventory: Inventory, progress: Progress = silent) -> None:
        self.inventory = inventory
        self.progress = progress

    def kill(self, hosts: Sequence[str]) -> None:
        lifecycle.kill(self.inventory, hosts)

    def start(self, hosts: Sequence[str]) -> None:
        lifecycle.start(self.inventory, hosts, self.progress)

    def cut(self, hosts: Sequence[str], *, between: bool = False) -> None:
        lifecycle.cut(self.inventory, hosts, between=between)

    def heal(self, hosts: Sequence[str], *, between: bool = False) -> None:
        lifecycle.heal(self.inventory, hosts, between=between)

    def wipe(self, hosts: Sequence[str], only: str | None = None) -> None:
        """Destroy the disks of hosts that are off, or only their ``etcd`` part."""
        lifecycle.wipe(self.inventory, hosts, only)
