"""The one bounded reader: whatever a host or a child process writes, so much of it is taken and no more.

Standard output is counted against what was announced or against a named limit, standard error is kept to its tail.
Whoever writes more is ended. Files that a child writes by itself are bounded by the kernel (:func:`writing_at_most`).
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from haplane.login_shell import GREETING_BYTES, MARK, AfterMark, not_begun

ANSWER_BYTES = 64 << 20
"""Of an answer that is held in memory: the largest, a cluster's nodes as JSON, are a few MiB."""
STDERR_BYTES = 1 << 20
"""Of standard error, after which its writer is ended: no program of ours writes so much."""
TAIL_BYTES = 1 << 14
"""Of standard error that is kept: the reason for a failure is at its end."""
MESSAGE_CHARACTERS = 300
"""Of a host's or a program's own words in one message."""
DATABASE_BYTES = 64 << 30
"""Of an etcd database, or of a member's data directory. etcd recommends 8 GiB at most."""

CHUNK = 1 << 16


def too_long(most: int) -> str:
    """Why something was cut."""
    return f"it sent more than {_size(most)}"


def _size(number: int) -> str:
    return f"{number / (1 << 20):.0f} MiB" if number >= 1 << 20 else f"{number} bytes"


@dataclass(frozen=True)
class Completed:
    """How a local process ended. ``stderr`` is its tail; ``cut`` is why we ended it, or None."""

    code: int
    stdout: bytes
    stderr: bytes
    cut: str | None


@dataclass(frozen=True)
class Start:
    """Where and how a process starts. With ``own_group`` whatever it starts ends with it when we end it."""

    directory: Path | None = None
    environment: Mapping[str, str] | None = None
    own_group: bool = False


def capture(
    command: Sequence[str],
    stdin: bytes,
    *,
    deadline_seconds: float,
    most: int = ANSWER_BYTES,
    marked: bool = False,
) -> Completed:
    """Run a local process (ssh) to its end, with its answer in memory only; past a bound it is killed.

    ``marked``: the answer begins after MARK, and so do its errors; what a login shell prints before it is dropped.

    Raises TimeoutError at the deadline. Nobody waits for what it started and left behind (a shared connection).
    """
    answer = bytearray()
    if not marked:
        code, tail, cut = _run(command, stdin, answer.extend, deadline_seconds, most)
        return Completed(code, bytes(answer), tail, cut)
    take = AfterMark(answer.extend)
    code, tail, cut = _run(command, stdin, take, deadline_seconds, most + GREETING_BYTES)
    return Completed(code, bytes(answer), tail.rpartition(MARK)[2], cut or _unfit(code, take, most))


def stream(
    command: Sequence[str],
    take: Callable[[bytes], object],
    *,
    deadline_seconds: float,
    most: int,
    stdin: bytes = b"",
    heed: Callable[[bytes], object] | None = None,
    start: Start | None = None,
) -> Completed:
    """The same for what is not to be held in memory: ``take`` gets the output piece by piece, ``most`` bytes at most.

    ``heed`` gets standard error as it comes. Raises TimeoutError, and whatever the two raise (OSError when the disk
    is full); the process has ended then.
    """
    code, tail, cut = _run(command, stdin, take, deadline_seconds, most, heed=heed, start=start or Start())
    return Completed(code, b"", tail, cut)


def save(command: Sequence[str], target: Path, *, deadline_seconds: float, most: int) -> Completed:
    """The same, of an answer that begins after MARK, into a new file that only we can read.

    It is gone when the output was cut or the process failed.

    Raises FileExistsError when there is something at ``target`` already, OSError, TimeoutError.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    whole = False
    try:
        with os.fdopen(descriptor, "wb") as file:
            take = AfterMark(file.write)
            ended = stream(command, take, deadline_seconds=deadline_seconds, most=most + GREETING_BYTES)
        ended = replace(
            ended, stderr=ended.stderr.rpartition(MARK)[2], cut=ended.cut or _unfit(ended.code, take, most)
        )
        whole = ended.code == 0 and ended.cut is None
    finally:
        if not whole:
            target.unlink(missing_ok=True)
    return ended


def _unfit(code: int, take: AfterMark, most: int) -> str | None:
    """Why an answer after MARK does not count: it is too long, or never began."""
    return too_long(most) if take.passed > most else not_begun(code, take)


class Tail:
    """The end of what a process writes to a pipe, read as it comes for as long as the process lives.

    That of its standard error, unless another is given. One that writes more than STDERR_BYTES is killed.
    """

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes] | None = None) -> None:
        if (pipe := pipe or process.stderr) is None:
            raise ValueError("the process has no pipe for its standard error")
        self._process, self._pipe = process, pipe
        self._kept, self._turn, self._ended = _Kept(), threading.Lock(), False
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def read(self, seconds: float = 1.0) -> bytes:
        """What is kept after MARK, if that was there, once the process has closed its end or after that time."""
        self._reader.join(seconds)
        return self._kept.content.rpartition(MARK)[2]

    def so_far(self) -> bytes:
        """What is kept of all that was written before this call."""
        with self._turn:
            while self._take_if_any():
                pass
            return self._kept.content

    def _follow(self) -> None:
        while not self._ended:
            select.select([self._pipe], [], [])  # gevent knows it, and reads that wait it does not
            with self._turn:
                self._take_if_any()
        self._pipe.close()

    def _take_if_any(self) -> bool:
        """Whether there was something, which :meth:`so_far` may have taken."""
        if self._ended or not select.select([self._pipe], [], [], 0)[0]:
            return False
        data = os.read(self._pipe.fileno(), CHUNK)
        self._ended = not data or not self._kept.take(data)
        if self._ended and data:
            self._process.kill()
        return not self._ended


class _Kept:
    """The last TAIL_BYTES of what is taken."""

    def __init__(self) -> None:
        self.content = b""
        self._seen = 0

    def take(self, data: bytes) -> bool:
        """Whether it may go on."""
        self.content = (self.content + data)[-TAIL_BYTES:]
        self._seen += len(data)
        return self._seen <= STDERR_BYTES


def last_line(text: bytes | str) -> str:
    """The last line that is not blank, shortened; ssh and most tools put the reason there."""
    decoded = text if isinstance(text, str) else text.decode(errors="replace")
    lines = [line for line in decoded.splitlines() if line.strip()]
    return shortened(lines[-1].strip()) if lines else ""


def shortened(text: str, most: int = MESSAGE_CHARACTERS) -> str:
    """Its beginning, where it is longer than that."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def tail_of(path: Path) -> bytes:
    """The last TAIL_BYTES of a file, however large it is."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES)


def _run(
    command: Sequence[str],
    stdin: bytes,
    take: Callable[[bytes], object],
    deadline_seconds: float,
    most: int,
    *,
    heed: Callable[[bytes], object] | None = None,
    start: Start = Start(),  # noqa: B008 - frozen
) -> tuple[int, bytes, str | None]:
    pipe = subprocess.PIPE
    ends = time.monotonic() + deadline_seconds
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        bufsize=0,
        cwd=start.directory,
        env=start.environment,
        process_group=0 if start.own_group else None,
    ) as process:
        try:
            tail, cut = _converse(process, stdin, ends, take, most, heed)
            if cut is not None:
                _end(process, group=start.own_group)
            code = process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            _end(process, group=start.own_group)  # nothing of it is left, whatever interrupts us
    return code, tail, cut


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    if group and process.poll() is None:
        with suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _converse(  # noqa: PLR0917 - one caller
    process: subprocess.Popen[bytes],
    stdin: bytes,
    ends: float,
    take: Callable[[bytes], object],
    most: int,
    heed: Callable[[bytes], object] | None,
) -> tuple[bytes, str | None]:
    """The tail of its standard error, and why we stopped before its end, if we did."""
    pipes = process.stdin, process.stdout, process.stderr
    to, answers, errors = (pipe.fileno() for pipe in pipes if pipe is not None)
    kept, left, taken = _Kept(), memoryview(stdin), 0
    with selectors.DefaultSelector() as selector:
        selector.register(to, selectors.EVENT_WRITE)
        selector.register(answers, selectors.EVENT_READ)
        selector.register(errors, selectors.EVENT_READ)
        while selector.get_map():
            ready = [key.fd for key, _ in selector.select(max(0.0, ends - time.monotonic()))]
            if time.monotonic() >= ends:
                raise TimeoutError
            for descriptor in ready:
                if descriptor == to:
                    left = _written(descriptor, left)
                    if not left and process.stdin is not None:
                        selector.unregister(descriptor)
                        process.stdin.close()
                elif not (data := os.read(descriptor, CHUNK)):
                    selector.unregister(descriptor)
                elif descriptor == errors:
                    if heed is not None:
                        heed(data)
                    if not kept.take(data):
                        return kept.content, too_long(STDERR_BYTES)
                else:
                    taken += len(data)
                    if taken > most:
                        return kept.content, too_long(most)
                    take(data)
    return kept.content, None


def _written(descriptor: int, content: memoryview) -> memoryview:
    """What is left to write; nothing, once the other end has gone away, which reports why itself."""
    try:
        return content[os.write(descriptor, content[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return content[:0]
