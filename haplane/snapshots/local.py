"""The snapshots of one member on its own disk: DIRECTORY/ID/, and DIRECTORY/.work/ for what is in the making.

Whatever is in ``.work`` after a crash, plain databases among it, is removed at the next start, and so are directories
that never got their signature. Only directories named like a snapshot are ever touched.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from haplane.domain.retention import KeepPolicy, keep
from haplane.errors import HaplaneError, Locked, Refused
from haplane.snapshots.budget import refuse_to_fill
from haplane.snapshots.manifest import ID, MANIFEST, MAX_BYTES, SIGNATURE, TIME, Manifest


@dataclass(frozen=True)
class LocalSnapshot:
    """A signed snapshot on this disk; ``size`` in bytes is all of its parts."""

    id: str
    directory: Path
    manifest: bytes
    signature: bytes
    size: int


class LocalSnapshots:
    """Raises OSError like the file system, and what its methods say."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.work = directory / ".work"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One agent at a time on this host. Raises Locked for the second."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        with (self.directory / ".lock").open("w") as turn:
            try:
                flock(turn, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise Locked("a snapshot is being taken on this host already", where=str(self.directory)) from None
            yield

    def clean(self) -> None:
        """Remove what interrupted runs left. Only for the holder of the lock."""
        shutil.rmtree(self.work, ignore_errors=True)
        for place in self._places():
            if not (place / SIGNATURE).exists():
                shutil.rmtree(place)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty directory for one run, gone afterwards."""
        self.work.mkdir(mode=0o700)
        try:
            yield self.work
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def wait_for_a_second_of_its_own(self) -> None:
        """Until no snapshot here was taken in this second: at the same revision it would have the same id."""
        while any(place.name.startswith((now := datetime.now(UTC)).strftime(TIME)) for place in self._places()):
            time.sleep(1 - now.microsecond / 1e6)

    def place(self, files: Mapping[str, Path], contents: Mapping[str, bytes], snapshot: str) -> Path:
        """Make a snapshot's directory of files, which are moved, and small contents; it is not signed yet."""
        made = self.work / snapshot
        made.mkdir(mode=0o700)
        for name, source in files.items():
            source.rename(made / name)
        for name, content in contents.items():
            write_file(made / name, content)
        fsync_directory(made)
        target = self.directory / snapshot
        made.rename(target)
        fsync_directory(self.directory)
        return target

    def sign(self, snapshot: str, manifest: bytes, signature: bytes) -> None:
        """Manifest first, signature last: from then on it is a snapshot."""
        place = self.directory / snapshot
        for name, content in ((MANIFEST, manifest), (SIGNATURE, signature)):
            write_file(place / name, content)

    def all(self) -> tuple[LocalSnapshot, ...]:
        """Oldest first."""
        return tuple(_local(place) for place in self._places() if (place / SIGNATURE).exists())

    def prune(self, policy: KeepPolicy, cluster: str, member: str) -> tuple[str, ...]:
        """Remove what the policy does not keep of what this member made; ids of the removed."""
        own = {}
        for found in self.all():
            try:
                manifest = Manifest.from_bytes(found.manifest, str(found.directory))
            except Refused:
                continue
            if (manifest.id, manifest.cluster, manifest.member) == (found.id, cluster, member):
                own[found.id] = manifest.taken
        removable = [taken.id for taken in keep(own.values(), policy).removable]
        for snapshot in removable:
            (self.directory / snapshot / SIGNATURE).unlink()
            shutil.rmtree(self.directory / snapshot)
        return tuple(removable)

    def refuse_to_fill(self, database_bytes: int, max_bytes: int | None) -> None:
        """Raise Refused when a snapshot of a database of that size would not fit into the disk or its budget."""
        free = shutil.disk_usage(self.directory).free
        used = sum(found.size for found in self.all())
        refuse_to_fill(database_bytes, free=free, used=used, max_bytes=max_bytes, where=str(self.directory))

    def _places(self) -> list[Path]:
        with os.scandir(self.directory) as found:
            return sorted(Path(entry) for entry in found if ID.fullmatch(entry.name) and entry.is_dir())


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Whole or not at all, and on the disk when it returns."""
    temporary = path.with_name(path.name + ".haplane-new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)  # the agent's umask leaves nothing to others
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_directory(path.parent)


def fsync_directory(directory: Path) -> None:
    """Names in it survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _local(place: Path) -> LocalSnapshot:
    parts: Mapping[str, int] = {entry.name: entry.stat().st_size for entry in place.iterdir() if entry.is_file()}
    return LocalSnapshot(
        id=place.name,
        directory=place,
        manifest=_small(place / MANIFEST),
        signature=_small(place / SIGNATURE),
        size=sum(parts.values()),
    )


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise HaplaneError("a snapshot cannot be read", where=str(path), why=error.strerror) from error
