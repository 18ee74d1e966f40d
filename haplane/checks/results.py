"""What ``haplane verify`` found: one outcome per check and host."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict

from haplane.errors import ExitCode

REACH = "reach"
"""The suite whose failures mean that a host is unreachable."""


class Check(BaseModel):
    """One check's outcome on one host; ``host`` is empty where it concerns the cluster."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    group: str
    check: str
    host: str
    outcome: Literal["passed", "failed", "skipped"]
    message: str
    seconds: float


class Verification(BaseModel):
    """Everything that was checked."""

    model_config = ConfigDict(frozen=True)

    checks: tuple[Check, ...]

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Hosts that could not be reached."""
        return tuple(check.host for check in self.checks if check.group == REACH and check.outcome == "failed")

    @property
    def counts(self) -> Counter[str]:
        """How many checks ``passed``, ``failed``, were ``skipped``."""
        return Counter(check.outcome for check in self.checks)

    @property
    def exit_code(self) -> ExitCode:
        """3 when a host is unreachable, 6 when a check failed, else 0."""
        if self.unreachable:
            return ExitCode.UNREACHABLE
        return ExitCode.INCOMPLETE if self.counts["failed"] else ExitCode.DONE
