"""Points in time as parts of names: of directories on hosts, of files, of signed statements. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(now: datetime) -> str:
    """``20261130T120000Z``: in UTC, to the second, and sorted by name is sorted by age. ``now`` knows its zone."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
