"""Whether another snapshot fits: refused before it fills a disk that etcd may share."""

from __future__ import annotations

from haplane.errors import Refused

FACTOR = 3
"""Of the database's size: the saved file, its scratch restore, and a payload that does not compress."""
BESIDES_BYTES = 160 << 20
"""The scratch restore's write-ahead log (64 MB), and room for other programs."""


def refuse_to_fill(database_bytes: int, *, free: int, used: int, max_bytes: int | None, where: str) -> None:
    """Raise Refused when a snapshot of such a database may not fit.

    ``free`` is what the file system has left, ``used`` what the snapshots so far take, ``max_bytes`` what they may.
    """
    needed = FACTOR * database_bytes + BESIDES_BYTES
    if needed > free:
        raise Refused(
            "there is not enough free space to take and verify a snapshot",
            where=where,
            why=f"a database of {mebibytes(database_bytes)} needs {mebibytes(needed)}, {mebibytes(free)} are free",
            next_step="make room, or keep fewer snapshots; none was removed",
        )
    if max_bytes is not None and used + database_bytes > max_bytes:
        raise Refused(
            'another snapshot may exceed the limit for local snapshots, cluster["snapshots"]["max_bytes"]',
            where=where,
            why=f"{mebibytes(used)} of {mebibytes(max_bytes)} are used, {mebibytes(database_bytes)} may be needed",
            next_step='raise cluster["snapshots"]["max_bytes"], or keep fewer snapshots; none was removed',
        )


def mebibytes(size: int) -> str:
    """Rounded up."""
    return f"{-(-size // (1 << 20))} MiB"
