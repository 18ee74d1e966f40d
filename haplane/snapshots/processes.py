"""Helpers that the agent runs: of low priority, one CPU each, dead when the agent dies, never longer than allowed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import IO

from haplane.errors import DeadlinePassed, HaplaneError

WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""The helper is killed with the thread that started it. Our own priority is inherited."""

ENDING_SECONDS = 30

Command = Sequence[str]


def environment() -> dict[str, str]:
    """Nothing but the search path: no setting of ours or of the caller reaches a helper by accident."""
    path = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return {"PATH": path, "GOMAXPROCS": "1", "LC_ALL": "C"}


def start(
    command: Command, *, stdin: int | IO[bytes] = subprocess.DEVNULL, stdout: int | IO[bytes] = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a helper. Raises HaplaneError when its program is not there."""
    try:
        return subprocess.Popen(
            [*WITH_US, *command], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment()
        )
    except FileNotFoundError as error:
        raise HaplaneError(
            f"{error.filename} is not installed", next_step="`haplane up` installs what snapshots need"
        ) from error


def run(command: Command, *, seconds: float, stdin: bytes = b"") -> bytes:
    """A helper's output. Raises HaplaneError with its last words, DeadlinePassed when it takes longer."""
    done = attempt(command, seconds=seconds, stdin=stdin)
    refuse_failure(command, done.returncode, done.stderr)
    return done.stdout


def attempt(command: Command, *, seconds: float, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The same for a helper that may fail."""
    process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        output, words = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise DeadlinePassed(f"`{title(command)}` did not end in {seconds:.0f} s") from None
    finally:
        kill(process)
    return subprocess.CompletedProcess(list(command), process.returncode, output, words)


def end(process: subprocess.Popen[bytes], command: Command) -> None:
    """Wait for a helper that has nothing left to do. Raises what :func:`run` does."""
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        raise DeadlinePassed(f"`{title(command)}` does not end") from None
    refuse_failure(command, process.returncode, process.stderr.read() if process.stderr else b"")


def kill(process: subprocess.Popen[bytes]) -> None:
    """Whatever state it is in, it has ended afterwards."""
    if process.poll() is None:
        process.kill()
        process.wait()


def refuse_failure(command: Command, status: int, words: bytes) -> None:
    """Raise HaplaneError with the last line of what a failed helper said."""
    if status != 0:
        last = words.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise HaplaneError(f"`{title(command)}` failed", why=f"{''.join(last)[:400] or 'no words'} (exit {status})")


def title(command: Command) -> str:
    """The program and what it was to do, without options."""
    return " ".join(word for word in command[:6] if not word.startswith(("-", "/", "http")))
