"""Programs that the agent runs: low priority, one CPU each, killed when the agent dies, with a deadline each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from haplane.errors import DeadlinePassed, HaplaneError

UNLESS_ORPHANED = 'parent={parent}; test "$PPID" = "$parent" || exit 1; exec "$@"'
"""The kernel kills only children whose parent dies after they asked for it: one that died before is seen here."""

ENDING_SECONDS = 30

Command = Sequence[str]


def environment() -> dict[str, str]:
    """Nothing but the search path: no variable of the agent's caller reaches a helper."""
    path = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return {"PATH": path, "GOMAXPROCS": "1", "LC_ALL": "C"}


def dies_with_us(command: Command) -> list[str]:
    """The command, killed by the kernel when the thread that starts it ends. It inherits our priority."""
    unless_orphaned = UNLESS_ORPHANED.format(parent=os.getpid())
    return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", unless_orphaned, "sh", *command]


def start(
    command: Command, *, stdin: int | IO[bytes] = subprocess.DEVNULL, stdout: int | IO[bytes] = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a helper. Raises HaplaneError when its program is not there."""
    try:
        return subprocess.Popen(
            dies_with_us(command), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment()
        )
    except FileNotFoundError as error:
        raise HaplaneError(
            f"{error.filename} is not installed", next_step="`haplane up` installs what snapshots need"
        ) from error


def run(command: Command, *, seconds: float, stdin: bytes = b"") -> bytes:
    """A helper's output. Raises HaplaneError with its last line of stderr, DeadlinePassed when it takes longer."""
    done = attempt(command, seconds=seconds, stdin=stdin)
    refuse_failure(command, done.returncode, done.stderr)
    return done.stdout


def attempt(command: Command, *, seconds: float, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The same for a helper that may fail."""
    process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        output, errors = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise DeadlinePassed(f"`{title(command)}` did not end within {seconds:.0f} s") from None
    finally:
        kill(process)
    return subprocess.CompletedProcess(list(command), process.returncode, output, errors)


def end(process: subprocess.Popen[bytes], command: Command) -> None:
    """Wait for a helper whose input and output are closed. Raises what :func:`run` does."""
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        raise DeadlinePassed(f"`{title(command)}` did not end within {ENDING_SECONDS} s") from None
    refuse_failure(command, process.returncode, process.stderr.read() if process.stderr else b"")


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it if it still runs, wait for its end, and close what is left of its pipes."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):  # what it did not read any more
                pipe.close()


def refuse_failure(command: Command, status: int, errors: bytes) -> None:
    """Raise HaplaneError with the last line of a failed helper's stderr."""
    if status != 0:
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise HaplaneError(f"`{title(command)}` failed", why=f"{''.join(last)[:400] or 'no message'} (exit {status})")


def title(command: Command) -> str:
    """The program and its subcommand, without options and paths."""
    return " ".join(word for word in command[:6] if not word.startswith(("-", "/", "http")))
