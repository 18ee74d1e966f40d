"""Runs on a host, with nothing but Python's standard library: holds the host's lock for one run, while it is alive.

    python3 -I -c THIS DIRECTORY

The first line of standard input that is not blank is a JSON object: ``token``, a word of its own for every run, and
what another run should be told of this one. The answer is a line of JSON: ``{"granted": true}``, or ``{"granted":
false, "holder": OBJECT}`` with what the run that holds the lock said of itself (null when that cannot be read).

From then on a byte is a heartbeat, and a ``?`` is answered with ``{"held": true}``. At the end of input, or after
SILENCE_SECONDS without a byte (a cut cable sends no end, and sshd waits for hours), the run is over: its shell is
taken away, what was started through that shell is killed, and only then is the lock free. The next holder does the
same for a run whose holder was killed. So nothing of a run happens on this host once another run has its lock, except
that an image's import which had begun comes to its end (receive.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from typing import IO

SILENCE_SECONDS = 8.0
REQUEST_SECONDS = 60
KILL_SECONDS = 5.0
SHELL = 'export HAPLANE_RUN="$0"\nexec sh "$@"\n'
"""Run as ``sh DIRECTORY/run-TOKEN -c COMMAND`` (/run may be mounted noexec). The path, in the arguments and then in
the environment of all that it starts, is how a run's processes are known."""


def main() -> None:
    """Hold the lock, or say who does."""
    directory = sys.argv[1]
    os.umask(0o077)
    os.makedirs(directory, exist_ok=True)
    signal.alarm(REQUEST_SECONDS)  # whoever connects and then falls silent is not waited for
    line = next((line for line in sys.stdin.buffer if line.strip()), b"")
    signal.alarm(0)
    if not line:
        return
    with open(os.path.join(directory, "lock"), "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say({"granted": False, "holder": read_holder(lock)})
            return
        request = json.loads(line)
        token = request.pop("token")
        write_holder(lock, request)
        end_runs(directory)
        with open(os.path.join(directory, "run-" + token), "w", encoding="utf-8") as shell:
            shell.write(SHELL)
        say({"granted": True})
        wait_for_end()
        end_runs(directory)
        lock.truncate(0)


def say(answer: dict[str, object]) -> None:
    """One line to the controller; if it has gone, the end of input says so."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(answer).encode() + b"\n")


def write_holder(lock: IO[str], holder: dict[str, object]) -> None:
    """Who holds the lock, for those who are refused."""
    lock.truncate(0)
    lock.write(json.dumps(holder))
    lock.flush()


def read_holder(lock: IO[str]) -> object:
    """Who holds the lock; it may have had it for an instant only and be about to write that."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        lock.seek(0)
        with contextlib.suppress(ValueError):
            return json.loads(lock.read())
        time.sleep(0.02)
    return None


def wait_for_end() -> None:
    """Return when the controller hung up or was silent for too long."""
    while select.select([0], [], [], SILENCE_SECONDS)[0]:
        heard = os.read(0, 4096)
        if not heard:
            return
        if b"?" in heard:
            say({"held": True})


def end_runs(directory: str) -> None:
    """Take away every run's shell, so that nothing new starts, then kill what was started through it.

    One that SIGKILL does not end within KILL_SECONDS hangs inside the kernel and will execute nothing more.
    """
    shells = [os.path.join(directory, name) for name in os.listdir(directory) if name.startswith("run-")]
    for shell in shells:
        os.unlink(shell)
    deadline = time.monotonic() + KILL_SECONDS
    while shells and time.monotonic() < deadline:
        alive = processes([shell.encode() for shell in shells])
        if not alive:
            return
        for process in alive:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def processes(marks: list[bytes]) -> list[int]:
    """The processes that have one of the marks in their arguments or environment."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if name.isdigit() and any(mark in content(name) for mark in marks):
                found.append(int(name))
    return found


def content(process: str) -> bytes:
    """Arguments and environment as the kernel has them; both empty for a process that is dead."""
    parts = []
    for part in ("cmdline", "environ"):
        with open(os.path.join("/proc", process, part), "rb") as file:
            parts.append(file.read())
    return b"\0".join(parts)


if __name__ == "__main__":
    main()
