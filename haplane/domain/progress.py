"""How long work reports where it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told whenever something worth a line begins or moves on."""

    def __call__(self, subject: str, message: str, fraction: float | None = None) -> None:
        """``subject`` is a host, phase or file; ``fraction`` is 0.0-1.0 where it is known."""


def silent(subject: str, message: str, fraction: float | None = None) -> None:
    """Nobody listens."""
