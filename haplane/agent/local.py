"""The snapshots of one member on its own disk: DIRECTORY/ID/, and DIRECTORY/.work/ for the one being made.

Whatever is in ``.work`` after a crash, plain databases among it, is removed at the next start, and so are directories
that never got their signature. Only directories named like a snapshot are ever touched.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from haplane.agent.budget import refuse_to_fill
from haplane.agent.manifest import MANIFEST, MOST_BYTES, SIGNATURE, TIME, Manifest, is_snapshot_id
from haplane.domain.history import why_not_yet
from haplane.domain.retention import KeepPolicy, Taken, keep
from haplane.errors import DeadlinePassed, HaplaneError, Locked, Refused

LOCK, WORK, UPLOAD = ".lock", ".work", ".upload.json"
KNOWN = re.compile(rf"({re.escape(LOCK)}|{re.escape(WORK)}|{re.escape(UPLOAD)}(\.haplane-new)?|lost\+found)")
"""What is in the directory besides snapshots; lost+found is in the root of a file system."""
OWN_SECOND_SECONDS = 10.0
"""One second is enough, unless the clock was set back to where snapshots were taken one after the other."""


@dataclass(frozen=True)
class LocalSnapshot:
    """A signed snapshot on this disk; ``size`` in bytes is all of its parts."""

    id: str
    directory: Path
    manifest: bytes
    signature: bytes
    size: int


class LocalSnapshots:
    """Raises OSError where the file system does, besides what each method names."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.work = directory / WORK

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One agent at a time on this host. Raises Locked for a second, Refused when the directory is not ours."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_what_is_not_ours(self.directory, KNOWN)
        self.directory.chmod(0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self.directory / LOCK, flags, 0o600), "w") as turn:
            try:
                flock(turn, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise Locked("another snapshot is being taken on this host", where=str(self.directory)) from None
            yield

    def clean(self) -> None:
        """Remove what interrupted runs left. The caller holds the lock."""
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
        """Wait until no snapshot here was taken in this second: at the same revision it would have the same id.

        Raises DeadlinePassed after OWN_SECOND_SECONDS.
        """
        give_up_at = time.monotonic() + OWN_SECOND_SECONDS
        while any(place.name.startswith((now := datetime.now(UTC)).strftime(TIME)) for place in self._places()):
            if time.monotonic() >= give_up_at:
                raise DeadlinePassed(
                    f"not within {OWN_SECOND_SECONDS:g} s: a second in which no snapshot was taken",
                    where=str(self.directory),
                    why=f"each second up to {now:%H:%M:%S} UTC has one already: was the host's clock set back?",
                    next_step="check the host's clock; the next run tries again",
                )
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
        """Write the manifest, then the signature, which makes it a snapshot."""
        place = self.directory / snapshot
        for name, content in ((MANIFEST, manifest), (SIGNATURE, signature)):
            write_file(place / name, content)

    def all(self) -> tuple[LocalSnapshot, ...]:
        """Oldest first."""
        return tuple(_local(place) for place in self._places() if (place / SIGNATURE).exists())

    def prune(self, policy: KeepPolicy, cluster: str, member: str) -> tuple[str, ...]:
        """Remove what the policy does not keep of this member's own snapshots; returns the removed ids.

        Those dated in the future, by a clock that was wrong, are counted separately and displace no others.
        """
        own: dict[bool, list[Taken]] = {True: [], False: []}
        now = datetime.now(UTC)
        for found in self.all():
            try:
                manifest = Manifest.from_bytes(found.manifest, str(found.directory))
            except Refused:
                continue
            if (manifest.id, manifest.cluster, manifest.member) == (found.id, cluster, member):
                own[why_not_yet(manifest.taken_at, now) is None].append(manifest.taken)
        removable = [taken.id for group in own.values() for taken in keep(group, policy).removable]
        for snapshot in removable:
            (self.directory / snapshot / SIGNATURE).unlink()
            shutil.rmtree(self.directory / snapshot)
        return tuple(removable)

    def refuse_to_fill(self, database_bytes: int, max_bytes: int | None) -> None:
        """Raise Refused when a snapshot of a database of that size would exceed the disk or ``max_bytes``."""
        free = shutil.disk_usage(self.directory).free
        used = sum(found.size for found in self.all())
        refuse_to_fill(database_bytes, free=free, used=used, max_bytes=max_bytes, where=str(self.directory))

    def _places(self) -> list[Path]:
        with os.scandir(self.directory) as found:
            return sorted(Path(entry) for entry in found if is_snapshot_id(entry.name) and entry.is_dir())


def refuse_what_is_not_ours(directory: Path, known: re.Pattern[str]) -> None:
    """Raise Refused unless a directory holds nothing but snapshots and nobody else can change it.

    Its real path is checked: if every directory on it is root's, so are the links to it.
    """
    real = directory.resolve()
    for each in (real, *real.parents):
        found = each.lstat()
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) or (others and each != real):
            raise _not_ours(directory, f"{each} can be changed by user {found.st_uid} or by others")
    if real.lstat().st_uid != os.geteuid():
        raise _not_ours(directory, f"it belongs to user {real.lstat().st_uid}")
    with os.scandir(real) as entries:
        foreign = sorted(
            each.name for each in entries if not (known.fullmatch(each.name) or is_snapshot_id(each.name))
        )
    if foreign:
        raise _not_ours(directory, f"it holds {', '.join(repr(name[:40]) for name in foreign[:3])}")


def _not_ours(directory: Path, why: str) -> Refused:
    return Refused(
        "this directory holds more than snapshots; nothing in it was changed",
        where=str(directory),
        why=why,
        next_step='set cluster["snapshots"]["directory"] to a directory of its own that only root can change',
    )


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace ``path`` atomically; the content is on the disk when it returns."""
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
    """Have the names in it survive a power cut."""
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
            return file.read(MOST_BYTES[path.name] + 1)
    except OSError as error:
        raise HaplaneError("a snapshot cannot be read", where=str(path), why=error.strerror) from error
