"""Settings of drills: what counts as passed, and how hosts are powered off. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from haplane.config.base import Settings
from haplane.config.values import FilePath, Name, between, text_of

Seconds = Annotated[float, between(0, 3600)]
Command = Annotated[
    str,
    text_of(
        r"[^\x00-\x1f]*\{host\}[^\x00-\x1f]*",
        "write one line with {host} where the host's name goes",
        "has no {host} in it",
    ),
]


class LimitSettings(Settings):
    """What replaces a drill's own limits; what is None stays. All but ``failed_requests`` in seconds."""

    read_gap: Seconds | None = None
    write_gap: Seconds | None = None
    healthy_again: Seconds | None = None
    failed_requests: Annotated[int, between(0, 1_000_000)] | None = None


class PowerCommands(Settings):
    """The user's shell commands on the controller, as in ``ipmitool -H {host}-bmc power off``.

    ``is_on`` succeeds while the host has power.
    """

    power_off: Command
    power_on: Command
    is_on: Command


class DrillSettings(Settings):
    """``limits`` are by the drill's name; ``identity`` is the age identity that opens backup-restores' snapshot."""

    limits: dict[Name, LimitSettings] = Field(default_factory=dict)
    power: PowerCommands | None = None
    identity: FilePath | None = None
