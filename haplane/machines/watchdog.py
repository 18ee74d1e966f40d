"""A fault and its undo, kept by a process that undoes it when this one disappears (``on_host/watchdog.py``)."""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

from pydantic import BaseModel, ValidationError

from haplane.config.model import Host
from haplane.domain import host_paths
from haplane.errors import HaplaneError
from haplane.host_programs import parts, program
from haplane.remote.openssh import ssh_command
from haplane.streams import Tail, last_line

PROGRAM = program(*parts("machines", "watchdog"))
UNIT = "haplane-fault"
HEARTBEAT_SECONDS = 1.0
ARM_SECONDS = 20.0
APPLY_SECONDS = 70.0
UNDO_SECONDS = 200.0
INTERRUPTED_UNDO_SECONDS = 2.0
"""An interrupted run ends within 5 s; its watchdog goes on undoing the fault."""
END_SECONDS = 0.5
MOST_LINE_BYTES = 1 << 16
AFTER_ITS_END = (
    f"test ! -e {host_paths.FAULT_UNDO} || {{ sh {host_paths.FAULT_UNDO} && rm {host_paths.FAULT_UNDO}; }}"
)


class Outcome(BaseModel):
    """What it reports: of a command how it ended and what it printed, and only that it is armed before."""

    code: int | None = None
    output: str = ""


class Watchdog:
    """A :class:`haplane.machines.protocol.Armed`, armed while in its context."""

    def __init__(self, where: str, argv: Sequence[str], settings: dict[str, Any], by_hand: str) -> None:
        """``by_hand``: what undoes the fault should the watchdog be of no use."""
        self._where = where
        self._by_hand = by_hand
        self._argv = argv
        self._settings = settings
        self._undone = False
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._received = b""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the drill, which undoes the fault itself
        )
        self._words = Tail(self._process)
        try:
            self._send(json.dumps(self._settings))
            self._answer(ARM_SECONDS, "the watchdog could not be armed, so nothing was broken")
        except BaseException:
            self._process.kill()
            self._hang_up()
            raise
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._undone:
                self._undo(UNDO_SECONDS if kind is not KeyboardInterrupt else INTERRUPTED_UNDO_SECONDS)
        finally:
            self._ended.set()
            self._hang_up()

    def _hang_up(self) -> None:
        """It ends, unless it still undoes the fault: that it does without us."""
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)

    def apply(self) -> None:
        self._send("apply")
        done = self._answer(APPLY_SECONDS, "the fault could not be caused")
        if done.code != 0:
            raise HaplaneError("the fault could not be caused", where=self._where, why=last_line(done.output))

    def undo(self) -> None:
        self._undo(UNDO_SECONDS)

    def _undo(self, seconds: float) -> None:
        self._undone = True
        early = self._process.poll() is not None
        self._send("undo")
        done = self._answer(seconds, "the fault may still be in place")
        if done.code != 0:
            raise HaplaneError(
                "the fault could not be undone",
                where=self._where,
                why=last_line(done.output),
                next_step=self._by_hand,
            )
        if early:
            raise HaplaneError(
                "the fault ended before the drill did, so its figures mean nothing",
                where=self._where,
                why="its watchdog undid it: it received nothing from here for 8 s, or the fault's time was up",
                next_step="re-run on a machine, and over a network, that is less busy",
            )

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self._send("")

    def _send(self, line: str) -> None:
        try:
            with self._writing:
                _pipe(self._process.stdin).write(line.encode() + b"\n")
        except (OSError, ValueError):  # it has ended: no answer will come, which _answer reports
            return

    def _answer(self, seconds: float, failure: str) -> Outcome:
        """The next line of it that is JSON (a login script may print others)."""
        deadline = time.monotonic() + seconds
        descriptor = _pipe(self._process.stdout).fileno()
        why = f"its watchdog did not report within {seconds:g} s"
        while len(self._received) < MOST_LINE_BYTES:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                if line.startswith(b"{"):
                    try:
                        return Outcome.model_validate_json(line)
                    except ValidationError:
                        why = "its watchdog's answer cannot be read"
                        break
                continue
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            if not (data := os.read(descriptor, 4096)):
                why = "the connection to its watchdog was lost"
                break
            self._received += data
        raise HaplaneError(
            failure,
            where=self._where,
            why=last_line(self._words.read()) or why,
            next_step=f"the watchdog keeps trying to undo it; by hand: {self._by_hand}",
        )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process has no such pipe")
    return pipe


def on_host(host: Host, apply: str, undo: str, seconds: float) -> Watchdog:
    """A fault made by a shell script on a host, and undone by another there.

    Its keeper is a transient unit, so systemd runs the undo should it be killed. A host has one fault at a time.
    """
    properties = (f"RuntimeMaxSec={seconds + UNDO_SECONDS:.0f}", f"ExecStopPost=/bin/sh -c '{AFTER_ITS_END}'")
    unit = (
        f"--unit={UNIT}",
        "--collect",
        "--pipe",
        "--wait",
        "--quiet",
        *(f"--property={one}" for one in properties),
    )
    settings = {
        "apply": ["/bin/sh", "-c", apply],
        "undo": ["/bin/sh", "-c", undo],
        "seconds": seconds,
        "keep": host_paths.FAULT_UNDO,
    }
    argv = ssh_command(host, "systemd-run", *unit, "python3", "-I", "-c", PROGRAM)
    return Watchdog(host.name, argv, settings, f"on {host.name}: `sh {host_paths.FAULT_UNDO}`")


def beside_us(
    where: str, apply: Sequence[str], undo: Sequence[str], seconds: float, by_hand: str | None = None
) -> Watchdog:
    """A fault made by a command on this machine: power. Its keeper outlives this process, not this machine.

    ``by_hand``: what is shown of ``undo``, where that may have a password in it.
    """
    settings = {"apply": list(apply), "undo": list(undo), "seconds": seconds, "keep": None}
    return Watchdog(where, [sys.executable, "-I", "-c", PROGRAM], settings, by_hand or f"`{shlex.join(undo)}`")
