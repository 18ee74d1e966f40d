"""One holder process (``on_host/hold.py``) on one host, as the controller sees it."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.remote.openssh import ended, ssh_command

DIRECTORY = "/run/haplane"
MOST_BYTES = 1 << 16  # of a line, before it is given up as no answer
ALIVE = ("ServerAliveInterval=1", "ServerAliveCountMax=3")  # a host silent for 4 s is gone; ssh takes the first said
TAKE_SECONDS = 20.0
"""To connect, which ssh gives up by itself before, and to have the lock."""


class Owner(BaseModel):
    """Who holds a lock: a user on a machine, the command that is running there, and since when (ISO 8601)."""

    model_config = ConfigDict(frozen=True)

    user: str
    machine: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"`{self.command}`, run by {self.user} on {self.machine} since {self.since}"


class Answer(BaseModel):
    """A line that a holder says."""

    granted: bool = False
    held: bool = False
    holder: Owner | None = None


@cache
def _script() -> str:
    return (Path(__file__).parent / "on_host" / "hold.py").read_text(encoding="utf-8")


class Holder:
    """Connecting begins at once; the lock is asked for by ``take`` and given back by ``hang_up`` or our death."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._heard = b""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process writes to it
        self._line, theirs = socket.socketpair()
        with theirs:
            ssh, *words = ssh_command(host, "python3", "-c", _script(), DIRECTORY)
            self._process = subprocess.Popen(
                [ssh, *(word for option in ALIVE for word in ("-o", option)), *words],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._complaints,
                start_new_session=True,  # ^C is for us alone: the lock is given back when we are done
            )

    def take(self, token: str, owner: Owner) -> Answer:
        """What the host said. Raises Unreachable, DeadlinePassed, or HaplaneError when it cannot run the holder."""
        self._say(json.dumps({"token": token, **owner.model_dump()}).encode() + b"\n")
        answer = self._answer(TAKE_SECONDS)
        if answer is None:
            raise self._failure()
        return answer

    def beat(self) -> None:
        """The sign of life."""
        self._say(b"\n")

    def ask(self) -> None:
        """Ask whether it still holds the lock; ``holds`` hears the answer."""
        self._say(b"?")

    def holds(self, seconds: float) -> bool:
        """Whether it says so within that time."""
        answer = self._answer(seconds)
        return answer is not None and answer.held

    def has_ended(self) -> bool:
        """Whether the connection is gone: the host went down, or the cable to it was cut."""
        return self._process.poll() is not None

    def hang_up(self) -> None:
        """Let it end the run there; ``wait`` for that."""
        self._line.close()

    def wait(self, seconds: float) -> None:
        """Until the lock is free, or for that time: a host that cannot be reached frees it by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def _say(self, data: bytes) -> None:
        try:
            self._line.sendall(data)
        except OSError:  # the other end has gone, which its missing answers tell
            return

    def _answer(self, seconds: float) -> Answer | None:
        """The next line that is an answer (a login script may say something too); None at the end or the deadline."""
        deadline = time.monotonic() + seconds
        while True:
            line, newline, rest = self._heard.partition(b"\n")
            if newline:
                self._heard = rest
                try:
                    return Answer.model_validate_json(line)
                except ValidationError:
                    continue
            try:
                self._line.settimeout(max(0.001, deadline - time.monotonic()))
                data = self._line.recv(4096)
            except OSError:
                return None
            if not data or len(self._heard) > MOST_BYTES:
                return None
            self._heard += data

    def _failure(self) -> HaplaneError:
        """Why there was no answer."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return DeadlinePassed(
                f"{self.host.name} did not say within {TAKE_SECONDS:.0f} s whether the lock is free",
                where=self.host.name,
                why="the host, the network to it or its login hangs",
                next_step="look at the host, then run again",
            )
        self._complaints.seek(0)
        return ended(self.host, "taking the lock", code, self._complaints.read())
