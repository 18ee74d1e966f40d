"""Programs of the machine a bundle is built on: found before they are needed, run with a deadline."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from haplane.errors import BadInput, DeadlinePassed, HaplaneError, Problems
from haplane.streams import Start, stream

PACKAGES = {
    "go": "Go 1.26 or later from its release site, on PATH (Debian 12's golang is too old)",
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
OUTPUT_BYTES = 16 << 20
"""Of what a program prints, after which it is ended."""
LINE_BYTES = 1 << 16


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
    """Run a program to its end and return its stdout. ``on_line`` gets each line of its stderr as it comes.

    Raises HaplaneError with the last lines of stderr when it fails or writes too much, DeadlinePassed when it takes
    too long; what it started has ended then.
    """
    stdout = bytearray()
    try:
        ended = stream(
            [str(word) for word in command],
            stdout.extend,
            deadline_seconds=deadline_seconds,
            most=OUTPUT_BYTES,
            heed=_Lines(on_line).take if on_line else None,
            start=Start(directory, environment, own_group=True),
        )
    except TimeoutError:
        late = f"{what} took longer than {deadline_seconds:.0f} s"
        raise DeadlinePassed(late, next_step="run the command again") from None
    last = "\n".join(ended.stderr.decode(errors="replace").splitlines()[-TAIL_LINES:])
    if ended.cut is not None:
        raise HaplaneError(f"{what} was stopped", why=ended.cut)
    if ended.code != 0:
        raise HaplaneError(f"{what} failed (exit status {ended.code})", why=last or None)
    return stdout.decode(errors="replace")


class _Lines:
    """Pieces put together to lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def take(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LINE_BYTES:]
        for line in lines:
            self._on_line(line.decode(errors="replace").rstrip())


def _search(program: str) -> str | None:
    if program.startswith("/"):
        return program if Path(program).is_file() else None
    return shutil.which(program) or shutil.which(program, path=SYSTEM_DIRECTORIES)


def _missing(name: str) -> HaplaneError:
    return BadInput(f"{name} is missing on this machine", next_step=f"install {PACKAGES.get(name, name)}")


def _has_static_library(library: str) -> bool:
    """Whether gcc finds it: it prints the full path of a library it has and the bare name of one it has not."""
    archive = "libc.a" if library == "libc" else f"{library}.a"
    printed = run(["gcc", f"-print-file-name={archive}"], what="querying gcc for its libraries")
    return Path(printed.strip()).is_absolute()
