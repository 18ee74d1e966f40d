"""What the probes share: a command with a deadline, a file, a digest, an owner."""

from __future__ import annotations

import contextlib
import glob
import grp
import hashlib
import http.client
import io
import json
import os
import pwd
import socket
import stat
import subprocess
import time
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PROBE_SECONDS = 5
TIMES_LONGER, WORK_SECONDS = 4, 0.05
"""A program that works gets so many times its seconds in all: one that used so much CPU within the last second, or
has a thread that waits for a CPU or for the disk."""
PIECE_BYTES = 1 << 16
MOST_ENTRIES = 100_000
MOST_READ_BYTES = 4 << 20
"""Of one file: what haplane, kubeadm and the kernel write is far smaller."""


def completed(*command: str, seconds: float = PROBE_SECONDS) -> subprocess.CompletedProcess[str]:
    """A command that ran to its end.

    Raises OSError, with a message for people, for one that is missing, not executable, late or killed: what it would
    have reported is unknown, not bad. NotRunnable is that of the first two. Late is one that hangs: one that still
    works, on a slow host, is waited for.
    """
    program = command[0]
    try:
        done = run_patiently(command, seconds)
    except FileNotFoundError:
        raise NotInstalled(program) from None
    except PermissionError:
        raise NotRunnable(program, "Permission denied") from None
    except subprocess.TimeoutExpired:
        raise OSError(f"{program} did not end within {seconds:g} s") from None
    except OSError as error:
        raise OSError(f"{program} could not be run: {error.strerror}") from None
    if done.returncode < 0:
        raise OSError(f"{program} was ended by signal {-done.returncode}")
    return done


def run_patiently(command: tuple[str, ...], seconds: float) -> subprocess.CompletedProcess[str]:
    """As subprocess.run, which does not tell one that works from one that hangs."""
    last, wait, used = time.monotonic() + TIMES_LONGER * seconds, seconds, 0.0
    with subprocess.Popen(  # noqa: S603 - fixed commands, no shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        errors="replace",
    ) as child:  # fmt: skip
        while True:
            try:
                output, errors = child.communicate(timeout=wait)
            except subprocess.TimeoutExpired:
                before, (used, waits) = used, activity(child.pid)
                works = waits or used - before >= WORK_SECONDS
                if not works or time.monotonic() >= last:
                    child.kill()
                    raise
                wait = 1.0
            else:
                return subprocess.CompletedProcess(command, child.returncode, output, errors)


def activity(process: int) -> tuple[float, bool]:
    """The CPU seconds that a process's threads have used, and whether one of them waits for a CPU or for the disk."""
    ticks, waits = 0, False
    for path in glob.glob(f"/proc/{process}/task/*/stat"):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            waits = waits or fields[0] in "RD"
    return ticks / os.sysconf("SC_CLK_TCK"), waits


class NotRunnable(OSError):
    """``program`` is not there, or not executable."""

    def __init__(self, program: str, why: str) -> None:
        super().__init__(f"{program} could not be run: {why}")
        self.program = program


class NotInstalled(NotRunnable):
    """It is in no directory of PATH."""

    def __init__(self, program: str) -> None:
        super().__init__(program, "not found in PATH")


def run(*command: str, seconds: float = PROBE_SECONDS) -> str | None:
    """A command's output, or None when it says no: it ended with another code than 0. Raises as :func:`completed`."""
    done = completed(*command, seconds=seconds)
    return done.stdout if done.returncode == 0 else None


def run_if_installed(*command: str) -> str | None:
    """The same, and None for a program that a host may be without."""
    try:
        return run(*command)
    except NotInstalled:
        return None


def output_of(*command: str) -> str:
    """The output of a command that has no reason to fail. Raises OSError also when it does, with its own words."""
    done = completed(*command)
    if done.returncode != 0:
        why = done.stderr.strip().partition("\n")[0][:200] or f"code {done.returncode}"
        raise OSError(f"{command[0]} failed: {why}")
    return done.stdout


def read(path: str) -> str | None:
    """A text file, or None when it is absent or not ours to read. In pieces: /proc/sys refuses to give more."""
    content = bytearray()
    try:
        with open(path, "rb", buffering=0) as file:
            while len(content) < MOST_READ_BYTES and (piece := file.read(PIECE_BYTES)):
                content += piece
    except OSError:
        return None
    return content.decode("utf-8", "replace").replace("\r\n", "\n")


def open_regular(path: str) -> BinaryIO:
    """A file in a directory that another user fills. Raises OSError for a link, a pipe or a device in its place."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is not a regular file")
    return file


class InTime(io.RawIOBase):
    """What a socket receives within its timeout from now on: its own timeout is for each piece anew."""

    def __init__(self, received: socket.socket, file: io.RawIOBase) -> None:
        self._socket, self._file = received, file
        self._ends = None if (seconds := received.gettimeout()) is None else time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """As a file's. Raises TimeoutError."""
        if self._ends is not None:
            left = self._ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        """The socket stays open for as long as its connection."""
        self._file.close()
        super().close()


class TimelyResponse(http.client.HTTPResponse):
    """That has to come whole within its connection's timeout, or the one that was last set on its socket."""

    def __init__(self, sock: socket.socket, *given: Any, **named: Any) -> None:
        super().__init__(sock, *given, **named)
        self.fp = io.BufferedReader(InTime(sock, self.fp.detach()))


class PlainConnection(http.client.HTTPConnection):
    """To a server that may be anybody's, and send a byte now and then."""

    response_class = TimelyResponse


class TlsConnection(http.client.HTTPSConnection):
    """The same with TLS."""

    response_class = TimelyResponse


def digest(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    summary = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            summary.update(chunk)
    return summary.hexdigest()


def owner(user_id: int) -> str:
    """A user's name, its number where it has none."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def group(group_id: int) -> str:
    """A group's name, its number where it has none."""
    try:
        return grp.getgrgid(group_id).gr_name
    except KeyError:
        return str(group_id)


def is_directory(path: str) -> bool:
    """Whether it is there. Raises OSError where that cannot be seen: a disk that fails has not lost what is on it."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return stat.S_ISDIR(os.stat(path).st_mode)
    return False


def document(path: str) -> dict[str, Any] | None:
    """A JSON object in a file, None when it is absent or damaged: who wrote it will write it again."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(read(path) or "null")
        return found if isinstance(found, dict) else None
    return None


def size_of(directory: str) -> int:
    """What the files below a directory take up, in bytes; of the first MOST_ENTRIES."""
    found, seen, left = 0, 0, [directory]
    while left and seen < MOST_ENTRIES:
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:
            for seen, entry in enumerate(entries, seen + 1):  # noqa: B020 - it counts on
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    found += entry.stat(follow_symlinks=False).st_blocks * 512
                if seen >= MOST_ENTRIES:
                    break
    return found


def protobuf(message: bytes) -> dict[int, Any]:
    """Field number -> value, of numbers and byte strings. Raises LookupError for a message that is cut short."""
    found: dict[int, Any] = {}
    rest = message
    while rest:
        key, rest = varint(rest)
        value, rest = varint(rest)
        if key & 7 == 2:
            found[key >> 3], rest = rest[:value], rest[value:]
        else:
            found[key >> 3] = value
    return found


def varint(message: bytes) -> tuple[int, bytes]:
    """The number at the head of a message, seven bits a byte, and what follows it."""
    value = shift = 0
    while message[0] & 0x80:
        value |= (message[0] & 0x7F) << shift
        message, shift = message[1:], shift + 7
    return value | message[0] << shift, message[1:]
