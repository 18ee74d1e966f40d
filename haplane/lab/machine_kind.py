"""What a lab asks of its machines, whatever they are made with; the kinds are in :mod:`haplane.lab.kinds`.

Everything else is the same for all kinds: the bridge and its closed network, links that are cut, the cgroup that a
machine's processes are found by, the keys, and what is written on its disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from haplane.domain.progress import Progress
from haplane.lab.plan import LabHost, Plan


@dataclass(frozen=True)
class Patience:
    """Seconds until a machine that boots accepts logins, and until one login is over."""

    boot_seconds: float
    login_seconds: float


class MachineKind(Protocol):
    """How machines of one kind are made and run. Calls may be repeated."""

    @property
    def tools(self) -> Mapping[str, str]:
        """The programs it runs besides the lab's own, and the Debian package of each."""

    def prepare(self, plan: Plan, progress: Progress) -> None:
        """Make the image, and whatever else this machine must have once. Raises HaplaneError, Refused."""

    def patience(self, plan: Plan) -> Patience:
        """How long such a machine may take on this one; it is prepared."""

    def boot(self, plan: Plan, host: LabHost) -> None:
        """Power on a host of which nothing is left (``power.clear``); its disk is made unless it is there."""

    def process(self, host: LabHost) -> int | None:
        """The process of this machine that lives as long as the host is on."""

    def clear(self, host: LabHost) -> None:
        """Remove what only this kind leaves behind of a host whose processes are gone."""

    def set_carrier(self, host: LabHost, *, on: bool) -> None:
        """Let a running host see that its cable is in, or out, where the port on the bridge does not show it."""

    def set_clock_ahead(self, host: LabHost, ahead: timedelta) -> None:
        """From the next start on the host's clock is so far ahead of ours. Raises Refused where it has none."""

    def wipe(self, plan: Plan, host: LabHost, part: str | None) -> None:
        """Empty the disk of a host that is off, or that part of it (a key of ``disk.PARTS``)."""
