"""The driver of the embedded lab's hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from haplane.config.model import Inventory
from haplane.lab import lifecycle
from haplane.machines.protocol import Part
from haplane.machines.watchdog import beside_us


class LabMachines:
    """A :class:`haplane.machines.protocol.Machines`."""

    driver = "lab"
    disposable = True
    keeps_off = True

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    def power_cut(self, hosts: Sequence[str]) -> Part:
        haplane = (sys.executable, "-m", "haplane", "lab")
        kill, start = ([*haplane, verb, self.inventory.path, *hosts] for verb in ("kill", "start"))
        return lambda seconds: beside_us(", ".join(hosts), kill, start, seconds)

    def wipe(self, hosts: Sequence[str], only: str | None = None) -> None:
        lifecycle.wipe(self.inventory, hosts, only)
