"""A lock as text: the same lock is always the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from haplane.bundle.lock import Lock
from haplane.errors import BadInput, HaplaneError


def write_lock(target: Path, lock: Lock, origin: str) -> None:
    """Write a lock to a file, whole or not at all. Raises HaplaneError when that fails."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(lock_text(lock, [origin]))
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise HaplaneError(
            "the lock cannot be written",
            where=str(target),
            why=error.strerror,
            next_step="make room there, or name another file with --output",
        ) from error


def refuse_unwritable(target: Path) -> None:
    """Raises BadInput where a lock cannot be written: its checksums would be fetched for nothing."""
    try:
        with TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise BadInput(
            "the lock could not be written here",
            where=str(target),
            why=error.strerror,
            next_step="name another file with --output",
        ) from None


def lock_text(lock: Lock, origin: Iterable[str]) -> str:
    """The lock as TOML, below comment lines that say where it is from."""
    lines = [f"# {line}" for line in origin]
    lines += ["", f'kubernetes_version = "{lock.kubernetes_version}"']
    if lock.official is not None:
        lines += ["", "[official]", "first_use = [", *(f'    "{name}",' for name in lock.official.first_use), "]"]
        lines += _table("official.versions", lock.official.versions)
        lines += _table("official.sha256", lock.official.sha256)
        lines += _table("official.digests", lock.official.digests)
    if lock.modules is not None:
        lines += ["", "[modules]", f'build_date = "{lock.modules.build_date}"']
        lines += _table("modules.versions", lock.modules.versions)
    return "\n".join(lines) + "\n"


def _table(name: str, values: Mapping[str, str]) -> list[str]:
    return ["", f"[{name}]", *(f'"{key}" = "{value}"' for key, value in values.items())]
