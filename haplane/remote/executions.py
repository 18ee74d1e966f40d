"""Every command that runs on a host, for whoever listens: the log of the run, and ``-v``.

Standard input is never part of it: that is how secrets get to hosts. Output is, unless it may hold secrets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LOGGER = logging.getLogger("haplane.executions")
"""Its records have an attribute ``execution``: level DEBUG when it starts, INFO when it has ended."""
LOGGER.setLevel(logging.DEBUG)
LOGGER.propagate = False


@dataclass
class Execution:
    """One command on one host. ``code`` is its exit status: None while it runs, and where none was received."""

    host: str
    command: str
    code: int | None = None
    output: str = ""
    seconds: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(cls, host: str, command: str) -> Execution:
        """Report that the command starts."""
        execution = cls(host, command)
        LOGGER.debug("started", extra={"execution": execution})
        return execution

    def end(self, code: int | None, output: str = "") -> None:
        """Report that it has ended."""
        self.code, self.output, self.seconds = code, output, time.monotonic() - self._began
        LOGGER.info("ended", extra={"execution": self})


@contextmanager
def executing(host: str, command: str) -> Iterator[Execution]:
    """The command runs in this block, which sets ``code`` and ``output``; an exception stands for them."""
    execution = Execution.begin(host, command)
    try:
        yield execution
    except BaseException as error:
        execution.end(None, execution.output or f"{type(error).__name__}: {error}")
        raise
    execution.end(execution.code, execution.output)
