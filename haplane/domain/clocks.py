"""How far hosts' clocks are from the controller's, as far as one look at them shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haplane.domain.observed import HostReport, Observation

CLOCK_TOLERANCE_SECONDS = 2.0
HERE = "start a time service here: `systemctl restart chrony`"
"""For the controller's clock."""


@dataclass(frozen=True)
class Window:
    """When the hosts were asked and when all had answered, in seconds since the epoch by the controller's clock."""

    asked_at: float
    answered_at: float


def clock_offset(report: HostReport, window: Window) -> float:
    """By how many seconds its clock is at least ahead of the controller's, or, negative, behind.

    0 within the tolerance.
    """
    behind = window.asked_at - report.started_at
    ahead = report.finished_at - window.answered_at
    if max(behind, ahead) <= CLOCK_TOLERANCE_SECONDS:
        return 0.0
    return ahead if ahead > behind else -behind


def clock_offsets(observation: Observation, window: Window | None) -> dict[str, float]:
    """By host in seconds, positive ahead; of no host where it is not known when they were asked."""
    if window is None:
        return {}
    return {name: clock_offset(report, window) for name, report in observation.reports.items()}


def is_the_controllers(offsets: Mapping[str, float]) -> bool:
    """Whether it is the controller's clock that is off: those of several hosts are, all to the same side."""
    return len(offsets) > 1 and all(offsets.values()) and len({offset > 0 for offset in offsets.values()}) == 1


def offset_in_words(offset: float) -> str:
    """``at least 40 s ahead of the controller's``."""
    return f"at least {abs(offset):.0f} s {'behind' if offset < 0 else 'ahead of'} the controller's"
