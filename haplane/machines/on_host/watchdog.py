"""Ends a fault when the controller disappears. Python's standard library alone: it runs on hosts, and beside haplane.

    python3 -I -c THIS

The first line of standard input is a JSON object: ``apply`` and ``undo``, two argument lists, ``seconds``, how long
the fault may last, and ``keep``, a path or null. Everything below is a line of JSON on standard output.

It reports ``{"armed": true}``; a line ``apply`` runs the first, answered with ``{"code": ..., "output": ...}``; a
line ``undo`` runs the second, answered in the same way, and ends it. Any byte is a heartbeat. The second also runs at
the end of input, after SILENCE_SECONDS without a byte, after ``seconds``, and on SIGTERM: so it runs however this
ends, SIGKILL excepted. For that the shell script ``undo[-1]`` is at ``keep`` from before the fault until it has been
undone, and the unit that this is part of runs it after its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

SILENCE_SECONDS = 8.0
APPLY_SECONDS = 60.0
UNDO_SECONDS = 120.0
UNDO_ATTEMPTS = 30
"""With 1 to 10 s in between: a power switch that is out of reach for minutes is tried until it is back."""
OUTPUT_BYTES = 4000


def main() -> None:
    """Arm, wait, undo."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines = Lines()
    settings = json.loads(lines.next(SILENCE_SECONDS))
    keep(settings)
    try:
        report({"armed": True})
        ends = time.monotonic() + settings["seconds"]
        while (line := lines.next(min(SILENCE_SECONDS, ends - time.monotonic()))) not in {b"undo", b""}:
            if line == b"apply":
                report(outcome(settings["apply"], APPLY_SECONDS))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        undo(settings)


class Lines:
    """Standard input by lines."""

    def __init__(self) -> None:
        self._read = b""

    def next(self, seconds: float) -> bytes:
        """The next line; empty at the end of input, or when there was no byte for so long."""
        while b"\n" not in self._read:
            if seconds <= 0 or not select.select([0], [], [], seconds)[0]:
                return b""
            data = os.read(0, 1 << 16)
            if not data:
                return b""
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line or b"."


def keep(settings: dict[str, object]) -> None:
    """Write the undoing script to where the unit finds it. Fails if there is one: another fault is in place."""
    if isinstance(path := settings["keep"], str):
        os.umask(0o077)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(settings["undo"][-1])  # type: ignore[index]


def undo(settings: dict[str, object]) -> None:
    """Run it until it succeeds; what it removes may be busy at first."""
    done: dict[str, object] = {}
    for attempt in range(UNDO_ATTEMPTS):
        done = outcome(settings["undo"], UNDO_SECONDS)
        if done["code"] == 0:
            if isinstance(path := settings["keep"], str):
                os.unlink(path)
            break
        time.sleep(min(1 + attempt, 10))
    report(done)


def outcome(command: object, seconds: float) -> dict[str, object]:
    """How a command ended, and the last of what it printed."""
    try:
        done = subprocess.run(
            command,  # type: ignore[call-overload]
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:  # its own words have the whole command in them, passwords and all
        return {"code": 1, "output": f"it did not end within {seconds:g} s"}
    except (OSError, subprocess.SubprocessError) as error:
        return {"code": 1, "output": str(error)[-OUTPUT_BYTES:]}
    return {"code": done.returncode, "output": done.stdout[-OUTPUT_BYTES:].decode(errors="replace")}


def report(document: dict[str, object]) -> None:
    """A line to the controller, if it is still there."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    main()
