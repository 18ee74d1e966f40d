"""From the saved database to the encrypted payload: one pass that hashes, compresses and encrypts."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from haplane.agent import processes
from haplane.errors import Refused

CHUNK_BYTES = 1 << 20
PIPE_BYTES = 256 << 10
FLUSH_BYTES = 16 << 20
"""Written to disk as it comes: an fsync of a gigabyte at once would delay etcd's own."""
DIGEST_BYTES = 32
COMPRESS = ("zstd", "-q", "-3", "-T1", "-c")


@dataclass(frozen=True)
class Packed:
    """SHA-256 and size in bytes of the database that was read and of the payload that was written."""

    database_sha256: str
    database_bytes: int
    payload_sha256: str
    payload_bytes: int


def pack(saved: Path, payload: Path, recipients: Sequence[str]) -> Packed:
    """Write ``saved``, compressed and encrypted, to ``payload`` (0600, fsynced).

    Raises Refused when the SHA-256 that etcd appended does not match, or the file changed while it was read.
    """
    encrypt = ["age", *(word for recipient in recipients for word in ("-r", recipient))]
    payload.touch(0o600)
    zstd = processes.start(COMPRESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    age = processes.start(encrypt, stdin=_end(zstd.stdout), stdout=subprocess.PIPE)
    _end(zstd.stdout).close()  # age has it now, and zstd gets SIGPIPE when age ends
    with ThreadPoolExecutor(1) as pool:
        try:
            writing = pool.submit(_collect, _end(age.stdout), payload)
            database = _feed(saved, _end(zstd.stdin))
            written = writing.result()
            for process, command in ((zstd, COMPRESS), (age, encrypt)):
                processes.end(process, command)
        finally:  # also ends the thread, which reads what age writes
            processes.kill(zstd)
            processes.kill(age)
    return Packed(*database, *written)


def _feed(saved: Path, target: IO[bytes]) -> tuple[str, int]:
    size = saved.stat().st_size
    content = hashlib.sha256()
    left = size - DIGEST_BYTES
    try:
        with saved.open("rb") as source, target:
            while left > 0:
                chunk = source.read(min(CHUNK_BYTES, left))
                if not chunk:
                    break
                left -= len(chunk)
                content.update(chunk)
                target.write(chunk)
            appended = source.read(DIGEST_BYTES + 1)
            target.write(appended)
    except BrokenPipeError:  # a helper failed; its exit status and stderr say why
        return "", 0
    if left != 0 or size % 512 != DIGEST_BYTES or content.digest() != appended:
        raise Refused(
            "the saved database is damaged",
            where=str(saved),
            why="its content does not match the SHA-256 that etcd sent with it",
            next_step="nothing was stored; if it happens again, check the disk and memory of this host",
        )
    whole = content.copy()
    whole.update(appended)
    return whole.hexdigest(), size


def _collect(source: IO[bytes], payload: Path) -> tuple[str, int]:
    summary, size, flushed = hashlib.sha256(), 0, 0
    with source, payload.open("wb") as target:  # on a full disk the pipe is closed, so age does not wait
        while chunk := source.read(PIPE_BYTES):
            summary.update(chunk)
            target.write(chunk)
            size += len(chunk)
            if size - flushed >= FLUSH_BYTES:
                target.flush()
                os.fdatasync(target.fileno())
                flushed = size
        target.flush()
        os.fsync(target.fileno())
        os.posix_fadvise(target.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return summary.hexdigest(), size


def _end(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the helper was started without this pipe")
    return pipe
