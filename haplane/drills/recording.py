"""A prober in a process of its own: started, read while it writes, and ended by the end of its input."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from haplane.drills.timeline import Request, parse
from haplane.errors import HaplaneError

STOP_SECONDS = 10.0


class Recording:
    """A running prober. Use it in ``with``; it has ended when the block ends, however that is left.

    ``argv`` is a command that writes a :class:`~haplane.drills.timeline.Request` a line and ends with its input;
    ``first_line`` is written to that input, so that secrets are on no command line.
    """

    def __init__(self, argv: Sequence[str], first_line: str = "") -> None:
        self._argv = argv
        self._first_line = first_line

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="haplane-")
        written = Path(self._directory.name) / "requests.jsonl"
        self._complaints = Path(self._directory.name) / "stderr"
        with written.open("wb") as log, self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=complaints,
                text=True,
                start_new_session=True,  # Ctrl-C is for the drill, which ends the prober itself
            )
        self._reader = written.open(encoding="utf-8", newline="\n")
        self._unfinished = ""
        self._seen: list[Request] = []
        self._tell(self._first_line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._reader.close()
        self._directory.cleanup()

    def requests(self) -> list[Request]:
        """Everything finished so far. Raises HaplaneError when the prober ended by itself, with its last words."""
        if self._process.poll():
            raise HaplaneError("the prober failed", why=self._complaints.read_text(errors="replace")[-2000:].strip())
        self._unfinished += self._reader.read()
        whole, _, self._unfinished = self._unfinished.rpartition("\n")
        self._seen += parse(whole.splitlines())
        return list(self._seen)

    def stop(self) -> list[Request]:
        """End the prober, its last requests included, and return everything it saw. May be called again."""
        self._end()
        return self.requests()

    def _end(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise HaplaneError("the prober has no input")
        with contextlib.suppress(BrokenPipeError):  # it has ended already; requests() says why
            stdin.write(line)
            stdin.flush()
