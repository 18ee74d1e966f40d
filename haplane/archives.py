"""Tar archives that somebody else made, read with bounds on their sum: a header may claim anything."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEADER_BYTES = 1 << 20
"""Of one extended header, which tarfile holds in memory."""
MEMBERS = 10_000
"""More than any archive that is read here has."""


NO_ARCHIVE = (ValueError, LookupError, ArithmeticError, RecursionError)
"""What tarfile lets through for headers that are none."""


GZIP = b"\x1f\x8b"


@contextmanager
def unpacked(path: Path, *, most: int) -> Iterator[tarfile.TarFile]:
    """A tar archive, plain or packed with gzip, of which no more than ``most`` bytes are unpacked.

    Raises as :func:`opened`, and OSError.
    """
    with path.open("rb", buffering=0) as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        plain = Counted(gzip.GzipFile(fileobj=file), most) if packed else file
        try:
            with opened(Headers(plain)) as archive:
                yield archive
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise tarfile.ReadError(str(error)) from error


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


class Counted(io.RawIOBase):
    """The content of a packed file, up to ``most`` bytes from its beginning."""

    def __init__(self, file: gzip.GzipFile, most: int) -> None:
        self._file = file
        self._most = most

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As a file's, from the beginning or from here. Raises tarfile.ReadError."""
        target = offset + (self.tell() if whence == io.SEEK_CUR else 0)
        if whence == io.SEEK_END or target > self._most:
            raise tarfile.ReadError(f"it is larger than {self._most} bytes")
        return self._file.seek(target)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As a file's. Raises tarfile.ReadError."""
        view = memoryview(buffer).cast("B")
        data = self._file.read(len(view))
        if self.tell() > self._most:
            raise tarfile.ReadError(f"it is larger than {self._most} bytes")
        view[: len(data)] = data
        return len(data)
