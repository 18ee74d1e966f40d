"""A prober in a process of its own: started, read while it writes, and ended by closing its input."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from haplane.errors import HaplaneError
from haplane.file_limits import writing_at_most
from haplane.login_shell import MARK
from haplane.streams import tail_of

Line = TypeVar("Line")

STOP_SECONDS = 10.0
RECORDING_BYTES = 64 << 20
"""Of what one prober writes: hours of requests."""


class Recording(Generic[Line]):
    """A running prober. Use it in ``with``; it has ended when the block ends, however that is left.

    ``argv`` is a command that writes lines which ``parse`` understands and ends with its input; ``first_line`` is
    written to that input, so that secrets are on no command line.
    """

    def __init__(self, argv: Sequence[str], first_line: str, parse: Callable[[Iterable[str]], list[Line]]) -> None:
        self._argv = argv
        self._first_line = first_line
        self._parse = parse

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="haplane-")
        written = Path(self._directory.name) / "lines.jsonl"
        self._stderr = Path(self._directory.name) / "stderr"
        with written.open("wb") as log, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                writing_at_most(RECORDING_BYTES, self._argv),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=stderr,
                text=True,
                start_new_session=True,  # Ctrl-C is for the drill, which ends the prober itself
            )
        self._reader = written.open(encoding="utf-8", errors="replace", newline="\n")
        self._unfinished = ""
        self._seen: list[Line] = []
        self._send(self._first_line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:  # nobody will read its last requests
            self._process.kill()
        self._end()
        self._reader.close()
        self._directory.cleanup()

    def lines(self) -> list[Line]:
        """Everything finished so far. Raises HaplaneError when the prober ended by itself, with its last output."""
        if self._process.poll():
            raise HaplaneError("the prober failed", why=_words(self._stderr))
        self._unfinished += self._reader.read()
        whole, _, self._unfinished = self._unfinished.rpartition("\n")
        self._seen += self._parse(whole.splitlines())
        return list(self._seen)

    def stop(self) -> list[Line]:
        """End the prober, its last requests included, and return everything it saw. May be called again."""
        self._end()
        return self.lines()

    def _end(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise HaplaneError("the prober has no input")
        with contextlib.suppress(BrokenPipeError):  # it has ended already; lines() reports why
            stdin.write(line)
            stdin.flush()


def _words(stderr: Path) -> str:
    return tail_of(stderr).rpartition(MARK)[2].decode(errors="replace")[-2000:].strip()
