"""Private directories (0700) for plain data on this machine, removed however the run ends.

Each run holds a lock that the kernel releases when it ends; the next run removes what a killed one left. Plain data
goes into memory (/dev/shm) where it fits, so that a power cut leaves none of it on a disk. Everything is in
``haplane-UID`` in the system's directory for temporary files; nothing else there is touched.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from haplane.errors import HaplaneError
from haplane.waiting import wait_until

MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own in it
MEMORY_FACTOR = 4
"""Times the database's size: its payload, decrypted and unpacked, and a scratch restore."""
MEMORY_RESERVE = 512 << 20
WAIT_SECONDS = 300.0
"""For a run that removes what killed ones left: directories of some GiB."""
RUN = "run-"
LOCK = ".lock"


class PrivateSpace:
    """The directories of one run."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self._runs: dict[Path, Path] = {}

    def new(self, prefix: str, data_bytes: int | None = None) -> Path:
        """A fresh directory; in memory where plain data of that size fits there. Raises HaplaneError."""
        base = MEMORY if data_bytes is not None and fits_into_memory(data_bytes) else Path(tempfile.gettempdir())
        if base not in self._runs:
            try:
                self._runs[base] = self._held.enter_context(_run_directory(base))
            except OSError as error:
                raise HaplaneError(
                    "a private directory cannot be made", where=str(base), why=error.strerror or str(error)
                ) from None
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self._runs[base]))


@contextmanager
def private_space() -> Iterator[PrivateSpace]:
    """Remove what killed runs left, and give a space whose directories are removed at the end."""
    for base in (MEMORY, Path(tempfile.gettempdir())):
        sweep(base)
    with ExitStack() as held:
        yield PrivateSpace(held)


def fits_into_memory(data_bytes: int) -> bool:
    """Whether plain data of that size, all that is made of it, and MEMORY_RESERVE fit into memory."""
    needed = MEMORY_FACTOR * data_bytes + MEMORY_RESERVE
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
        return min(available, shutil.disk_usage(MEMORY).free) >= needed and os.access(MEMORY, os.W_OK | os.X_OK)
    except (OSError, ValueError, StopIteration):
        return False


def sweep(base: Path) -> None:
    """Remove the directories below ``base`` of runs that have ended without doing so."""
    root = _root(base)
    if not _is_ours(root):
        return
    with _locked(root / LOCK):
        for run in root.glob(f"{RUN}*"):
            try:
                with _locked(run / LOCK, wait=False):
                    shutil.rmtree(run, ignore_errors=True)
            except BlockingIOError:
                continue
            except OSError:  # it has no lock: nobody uses it
                shutil.rmtree(run, ignore_errors=True)


@contextmanager
def _run_directory(base: Path) -> Iterator[Path]:
    root = _root(base)
    root.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(root):
        raise HaplaneError(
            "the directory for temporary data belongs to somebody else",
            where=str(root),
            why="it is a link, belongs to another user, or others can read it",
            next_step="remove it, or set TMPDIR to a directory that only you can write to",
        )
    with ExitStack() as held:
        with _locked(root / LOCK):
            run = Path(tempfile.mkdtemp(prefix=RUN, dir=root))
            held.enter_context(_locked(run / LOCK))
        try:
            yield run
        finally:
            shutil.rmtree(run, ignore_errors=True)


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Raises BlockingIOError when it is taken; with ``wait`` DeadlinePassed, when it is for WAIT_SECONDS."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def taken() -> bool:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        if wait:
            wait_until(taken, WAIT_SECONDS, f"another run releases {path}")
        elif not taken():
            raise BlockingIOError(str(path))
        yield
    finally:
        os.close(descriptor)


def _root(base: Path) -> Path:
    return base / f"haplane-{os.geteuid()}"


def _is_ours(root: Path) -> bool:
    try:
        found = root.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
