"""Processes that have their imports behind them: nearly all that a start of haplane costs.

For tests of what a process does, not of how it starts or how signals end it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

PROGRAM = Path(__file__).with_name("prepared_program.py")


class Prepared:
    """A program whose ``main`` runs in a process of its own each time; one at a time, whoever asks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._turn = threading.Lock()

    def run(
        self, *words: object, environment: Mapping[str, str], seconds: int, **streams: str
    ) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` with the program's output captured; the directory is ours.

        ``streams``: where ``stdout`` or ``stderr`` goes instead.
        """
        requests, answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        arguments = [str(word) for word in words]
        with self._turn, tempfile.TemporaryDirectory() as directory:
            files = {name: streams.get(name, f"{directory}/{name}") for name in ("stdout", "stderr")}
            request = {"words": arguments, "environment": dict(environment), "directory": str(Path.cwd())}
            request |= {"seconds": seconds, **files}
            requests.write(f"{json.dumps(request)}\n")
            requests.flush()
            if (code := int(answers.readline())) == -signal.SIGALRM:
                raise subprocess.TimeoutExpired(arguments, seconds)
            captured = ("" if name in streams else Path(path).read_text() for name, path in files.items())
            return subprocess.CompletedProcess(arguments, code, *captured)


@contextmanager
def prepared(*modules: str, path: Path | None = None) -> Iterator[Prepared]:
    """The first module's program, with all of them imported; ``path`` is where else they are looked for."""
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    command = [sys.executable, PROGRAM, *modules]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Prepared(process)
