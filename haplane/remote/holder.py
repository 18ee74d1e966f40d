"""One holder process (``on_host/hold.py``) on one host, as the controller sees it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from haplane.config.model import Host
from haplane.domain import host_paths
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.host_programs import parts, program
from haplane.remote.connection import CONNECT_SECONDS
from haplane.remote.executions import executing
from haplane.remote.openssh import ended, ssh_command
from haplane.streams import Tail, shortened

MOST_BYTES = 1 << 16  # read while waiting for one answer
ALIVE = (1, 3)  # a host that does not respond for 4 s is gone
TAKE_SECONDS = CONNECT_SECONDS
"""To connect, which takes as long as the connection for commands may, and to have the lock."""


Text = Annotated[str, BeforeValidator(lambda text: shortened(text) if isinstance(text, str) else text)]


class Owner(BaseModel):
    """Who holds a lock: a user on a machine, the command that is running there, and since when (ISO 8601)."""

    model_config = ConfigDict(frozen=True)

    user: Text
    machine: Text
    command: Text
    since: Text

    def __str__(self) -> str:
        return f"`{self.command}`, run by {self.user} on {self.machine} since {self.since}"


class Answer(BaseModel):
    """A line that a holder prints."""

    granted: bool = False
    held: bool = False
    holder: Owner | None = None


class Holder:
    """Connects at once; ``take`` takes the lock, ``hang_up`` or the end of this process releases it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._received = b""
        self._line, theirs = socket.socketpair()
        with theirs:
            text = program(*parts("remote", "hold"))
            self._process = subprocess.Popen(
                ssh_command(host, "python3", "-I", "-c", text, host_paths.LOCKS, alive=ALIVE, apart=True),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,  # ^C is for us alone: the lock is given back when we are done
            )
        self._stderr = Tail(self._process)

    def take(self, token: str, owner: Owner) -> Answer:
        """The host's answer. Raises Unreachable, DeadlinePassed, or HaplaneError when it cannot run the holder."""
        with executing(self.host.name, "(take the lock)") as execution:
            self._send(json.dumps({"token": token, **owner.model_dump()}).encode() + b"\n")
            answer = self._answer(TAKE_SECONDS)
            if answer is None:
                raise self._failure()
            execution.code, execution.output = int(not answer.granted), str(answer.holder or "")
        return answer

    def beat(self) -> None:
        """Send a heartbeat."""
        self._send(b"\n")

    def query(self) -> None:
        """Query whether it still holds the lock; ``holds`` reads the answer."""
        self._send(b"?")

    def holds(self, seconds: float) -> bool:
        """Whether it confirms that within so many seconds."""
        answer = self._answer(seconds)
        return answer is not None and answer.held

    def has_ended(self) -> bool:
        """Whether the connection is gone: the host went down, or the cable to it was cut."""
        return self._process.poll() is not None

    def hang_up(self) -> None:
        """Let it release the lock; ``wait`` waits for that."""
        self._line.close()

    def wait(self, seconds: float) -> None:
        """Until the lock is free, or for that time: a host that cannot be reached frees it by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, data: bytes) -> None:
        try:
            self._line.sendall(data)
        except OSError:  # the other end is gone: no answer will come
            return

    def _answer(self, seconds: float) -> Answer | None:
        """The next line that is an answer (login scripts may print others); None at the end or the deadline."""
        deadline = time.monotonic() + seconds
        count = 0
        while count <= MOST_BYTES:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                try:
                    return Answer.model_validate_json(line)
                except ValidationError:
                    continue
            try:
                self._line.settimeout(max(0.001, deadline - time.monotonic()))
                data = self._line.recv(4096)
            except OSError:
                return None
            if not data:
                return None
            count += len(data)
            self._received += data
        return None

    def _failure(self) -> HaplaneError:
        """Why there was no answer."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return DeadlinePassed(
                f"{self.host.name} did not report within {TAKE_SECONDS:.0f} s whether the lock is free",
                where=self.host.name,
                why="the host, the network to it or its login hangs",
                next_step=f"log in to {self.host.name} to find out which, then re-run",
            )
        return ended(self.host, "taking the lock", code, self._stderr.read())
