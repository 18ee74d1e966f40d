"""The driver of the embedded lab's hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.lab import lifecycle
from haplane.machines.protocol import Part
from haplane.machines.watchdog import beside_us


class LabMachines:
    """A :class:`haplane.machines.protocol.Machines`."""

    driver = "lab"
    disposable = True
    keeps_off = True

    def __init__(self, inventory: Inventory, progress: Progress = silent) -> None:
        self.inventory = inventory
        self.progress = progress

    def power_cut(self, hosts: Sequence[str]) -> Part:
        haplane = (sys.executable, "-m", "haplane", "lab")
        kill, start = ([*haplane, verb, self.inventory.path, *hosts] for verb in ("kill", "start"))
        return lambda seconds: beside_us(", ".join(hosts), kill, start, seconds)

    def kill(self, hosts: Sequence[str]) -> None:
        """Cut their power, all at the same moment: no message to peers, nothing is flushed to disk."""
        lifecycle.kill(self.inventory, hosts)

    def start(self, hosts: Sequence[str]) -> None:
        """Power them on with the disks they had, and wait until they answer over SSH."""
        lifecycle.start(self.inventory, hosts, self.progress)

    def cut(self, hosts: Sequence[str], *, between: bool = False) -> None:
        """Unplug them; with ``between``, cut only the link between exactly two."""
        lifecycle.cut(self.inventory, hosts, between=between)

    def heal(self, hosts: Sequence[str], *, between: bool = False) -> None:
        """Undo ``cut``."""
        lifecycle.heal(self.inventory, hosts, between=between)

    def wipe(self, hosts: Sequence[str], only: str | None = None) -> None:
        lifecycle.wipe(self.inventory, hosts, only)
