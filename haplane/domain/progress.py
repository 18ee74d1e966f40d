"""How long work reports its progress, whoever shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called whenever something worth a line begins or moves on."""

    def __call__(self, subject: str, message: str, fraction: float | None = None) -> None:
        """``subject``: one or more hosts (``m1, m2``), a verb, a file. ``fraction``: 0.0-1.0 where it is known."""


class Activity(str):
    """A message about what hosts do at the moment: of interest while it lasts. An empty one: they wait for others."""

    __slots__ = ()


def silent(subject: str, message: str, fraction: float | None = None) -> None:
    """A Progress that nobody sees."""
