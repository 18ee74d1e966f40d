"""What the operator asks ``haplane restore`` for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RestoreRequest:
    """``snapshot`` is an id or ``latest``; without it and without ``file`` the source that loses the least is used.

    ``identity`` is the operator's age identity, ``pki`` a copy of a master's /etc/kubernetes. ``without`` names hosts
    to leave out. ``unsigned`` accepts a file without a signature, ``accept_loss`` a restore that loses data.
    """

    snapshot: str | None = None
    file: Path | None = None
    identity: Path | None = None
    pki: Path | None = None
    unsigned: bool = False
    without: tuple[str, ...] = ()
    accept_loss: bool = False
