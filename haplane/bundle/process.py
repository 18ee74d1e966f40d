"""Programs of the machine a bundle is built on: found before they are needed, run with a deadline."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from haplane.errors import BadInput, DeadlinePassed, HaplaneError, Problems

CURES = {
    "go": "Go 1.26 or later from its release site (Debian 12's golang is too old) and put it on PATH",
    "gcc": "the Debian package gcc",
    "pkg-config": "the Debian package pkg-config",
    "ldd": "the Debian package libc-bin",
    "nft": "the Debian package nftables",
    "/etc/protocols": "the Debian package netbase",
    "catatonit": "the Debian package catatonit",
    "zstd": "the Debian package zstd",
    "libc": "the Debian package libc6-dev",
    "libseccomp": "the Debian package libseccomp-dev",
}
SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin"  # not on every user's PATH
TAIL_LINES = 12


def find_program(name: str) -> Path:
    """The program's path, also where it lies in a directory for administrators. Raises BadInput without it.

    An absolute path is that file, program or not.
    """
    found = _search(name)
    if found is None:
        raise _missing(name)
    return Path(found)


def require(programs: Sequence[str], libraries: Sequence[str] = ()) -> None:
    """Raise Problems naming everything that is missing, with the Debian package that has it."""
    missing = [program for program in programs if _search(program) is None]
    if "gcc" not in missing:
        missing += [library for library in libraries if not _has_static_library(library)]
    if missing:
        raise Problems("this machine cannot make the bundle yet", [_missing(name) for name in missing])


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    deadline_seconds: float = 1800,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run a program to its end and return its stdout. ``on_line`` is told each line of its stderr as it comes.

    Raises HaplaneError with the last lines of stderr when it fails, DeadlinePassed when it takes too long.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    overdue = threading.Event()
    with subprocess.Popen(
        [str(word) for word in command],
        cwd=directory,
        env=dict(environment) if environment is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        reader = threading.Thread(target=_follow, args=(process, tail, on_line), daemon=True)
        timer = threading.Timer(deadline_seconds, _expire, args=(process, overdue))
        reader.start()
        timer.start()
        try:
            stdout = process.stdout.read() if process.stdout else ""
            reader.join()
        except BaseException:  # Ctrl-C included: what we started ends with us
            _kill(process)
            raise
        finally:
            timer.cancel()
    if overdue.is_set():
        raise DeadlinePassed(f"{what} took longer than {deadline_seconds:.0f} s", next_step="run the command again")
    if process.returncode != 0:
        raise HaplaneError(f"{what} failed (exit status {process.returncode})", why="\n".join(tail) or None)
    return stdout


def _search(program: str) -> str | None:
    if program.startswith("/"):
        return program if Path(program).is_file() else None
    return shutil.which(program) or shutil.which(program, path=SYSTEM_DIRECTORIES)


def _missing(name: str) -> HaplaneError:
    return BadInput(f"{name} is missing on this machine", next_step=f"install {CURES.get(name, name)}")


def _follow(process: subprocess.Popen[str], tail: deque[str], on_line: Callable[[str], None] | None) -> None:
    for line in process.stderr or ():
        tail.append(line.rstrip())
        if on_line is not None:
            on_line(line.rstrip())


def _expire(process: subprocess.Popen[str], overdue: threading.Event) -> None:
    overdue.set()
    _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    """End the program and the compilers it started, which share its process group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)


def _has_static_library(library: str) -> bool:
    """Whether gcc finds it: it prints the full path of a library it has and the bare name of one it has not."""
    archive = "libc.a" if library == "libc" else f"{library}.a"
    printed = run(["gcc", f"-print-file-name={archive}"], what="asking gcc for its libraries")
    return Path(printed.strip()).is_absolute()
