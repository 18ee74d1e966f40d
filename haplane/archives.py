"""Tar archives that somebody else made, read with bounds on their sum: a header may claim anything."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

HEADER_BYTES = 1 << 20
"""Of one extended header, which tarfile holds in memory."""
MEMBERS = 10_000
"""More than any archive that is read here has."""


NO_ARCHIVE = (ValueError, LookupError, ArithmeticError, RecursionError)
"""What tarfile lets through for headers that are none."""


@contextmanager
def opened(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A plain tar archive. Raises tarfile.ReadError for whatever in it cannot be read, in the block too."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            yield archive
    except NO_ARCHIVE as error:
        raise tarfile.ReadError(f"{type(error).__name__}: {error}") from error


def members(archive: tarfile.TarFile, *, most: int, count: int = MEMBERS) -> Iterator[tarfile.TarInfo]:
    """Its members, one after the other, all their contents together no more than ``most`` bytes.

    A sparse member is refused: a few bytes of it stand for any number of zeros. Raises tarfile.ReadError.
    """
    total = number = 0
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]  # else each stays in memory
        total, number = total + member.size, number + 1
        if member.size < 0 or member.issparse():
            raise tarfile.ReadError(f"{member.name[:100]!r} is sparse or has no size")
        if total > most:
            raise tarfile.ReadError(f"its files are larger than {most} bytes")
        if number > count:
            raise tarfile.ReadError(f"it has more than {count} members")
        yield member


class Headers(io.BufferedReader):
    """A file that tarfile reads an archive from: a piece that is too large for a header or a buffer is refused."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's. Raises tarfile.ReadError."""
        if size is None or not 0 <= size <= HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size)
