"""The Kubernetes versions that haplane has locks for: the one list, read by everything that needs it."""

from __future__ import annotations

from pathlib import Path

LOCKS = Path(__file__).parent / "bundle" / "pinned" / "locks"
DEFAULT_VERSION = "1.36.3"


def _oldest_first(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


VERSIONS = tuple(sorted((path.name.removesuffix(".toml") for path in LOCKS.glob("*.toml")), key=_oldest_first))
