"""The result of a run so far: warnings and what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from haplane.domain.assessment import PreviousData
from haplane.domain.drain.summary import NodeCost
from haplane.domain.status import Status
from haplane.executor import Pushing


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """What a rotation of keys ended with; keys are public halves, as base64, or names."""

    signing_key: str | None = None
    previous_signing_key: str | None = None
    encryption_key: str | None = None
    secrets: int | None = None
    recipients: tuple[str, ...] = ()
    previous_recipients: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Patched:
    """What an upgrade of a host's packages changed: NAME VERSION of each that is new."""

    packages: tuple[str, ...]
    rebooted: bool


@dataclass
class Result:
    """Written by the phases that carry a decision out.

    ``changed`` once the plan is being carried out. ``warnings`` are what was tried and does not work, though
    everything else was done. ``outage_seconds`` is from the first API server stopped to all started again, None where
    none was ready before; ``kept_in`` the directory on each host that a reset moved its data and keys to. ``costs``
    are of the nodes that go out of service; ``seconds`` by host is for how long each was. ``patched`` by host.
    """

    changed: bool = False
    status: Status | None = None
    warnings: list[str] = field(default_factory=list)
    join_command: str | None = None
    binary_pushes: Sequence[Pushing] = ()
    image_pushes: Sequence[Pushing] = ()
    outage_began: float | None = None
    outage_seconds: float | None = None
    kept_in: str | None = None
    discarded: tuple[PreviousData, ...] = ()
    rotated: Rotated | None = None
    costs: tuple[NodeCost, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    patched: dict[str, Patched] = field(default_factory=dict)
