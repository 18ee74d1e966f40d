"""How long a run took, and how long it would take at least with the CPU time that it used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
BUSY = {"user": 1, "nice": 2, "system": 3, "irq": 6, "softirq": 7}
"""Fields of its first line. Guests' time is in the user's, and stolen time was used by others."""


@dataclass(frozen=True)
class Used:
    """Seconds on the clock, CPU seconds of the whole machine meanwhile, and its number of cores."""

    wall: float
    cpu: float
    cores: int

    @property
    def limit(self) -> float:
        """Seconds below which no run comes that uses as much CPU."""
        return self.cpu / self.cores

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} CPU s, limit {self.limit:.1f} s)"


def busy_seconds(stat: str, ticks: int) -> float:
    """CPU seconds of all cores since the boot, from the text of /proc/stat, which counts ``ticks`` a second."""
    fields = stat.splitlines()[0].split()
    return sum(int(fields[number]) for number in BUSY.values()) / ticks


def busy_now() -> float:
    """Of this machine."""
    return busy_seconds(STAT.read_text(), os.sysconf("SC_CLK_TCK"))


def used_since(began: float, wall: float) -> Used:
    """By a run of ``wall`` seconds that has just ended; ``began`` is what :func:`busy_now` returned before it."""
    return Used(wall, busy_now() - began, os.cpu_count() or 1)
