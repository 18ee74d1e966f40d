"""What a drill's figures are held to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from haplane.config.model import Inventory


@dataclass(frozen=True)
class Limits:
    """``read_gap`` and ``write_gap``: the longest, in seconds, from the fault to the end of the drill.

    ``healthy_again``: seconds from the undo until the whole cluster was healthy. ``failed_requests`` counts reads and
    writes; None where gaps alone are limited. ``lost_writes`` is None only where a snapshot is restored: what was
    written after it is gone. Stale reads are limited to 0 always.
    """

    read_gap: float = 2.0
    write_gap: float = 3.0
    healthy_again: float = 180.0
    failed_requests: int | None = None
    lost_writes: int | None = 0


@dataclass(frozen=True)
class Figure:
    """One measured number and what it is held to; without a limit it is only shown. ``unit``: ``s`` or none.

    ``words`` say more than the number and are shown instead of it.
    """

    name: str
    measured: float
    limit: float | None
    unit: str = "s"
    words: str = ""

    @property
    def held(self) -> bool:
        """Whether it is within its limit."""
        return self.limit is None or self.measured <= self.limit

    @property
    def shown(self) -> str:
        """What was measured, for people."""
        return self.words or shown(self.measured, self.unit)

    @property
    def shown_limit(self) -> str:
        """What it is held to, for people; empty where it is only shown."""
        return "" if self.limit is None else shown(self.limit, self.unit)


def shown(number: float, unit: str) -> str:
    """A figure with its unit. What has not happened was measured as infinite."""
    if math.isinf(number):
        return "never"
    return f"{number:.2f} {unit}" if unit else f"{number:.0f}"


def limits_of(inventory: Inventory, drill: str, default: Limits) -> Limits:
    """The drill's own, with what the inventory sets instead."""
    settings = inventory.cluster.drills.limits.get(drill)
    if settings is None:
        return default
    return replace(default, **settings.model_dump(exclude_none=True))
