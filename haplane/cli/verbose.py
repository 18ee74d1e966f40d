"""``-v``: the commands that run on hosts, as they run; ``-vv``: their output too."""

from __future__ import annotations

import logging
from collections.abc import Callable

from haplane.cli.run_log import described, one_line, shortened_output
from haplane.remote.executions import LOGGER, Execution

LINE_CHARACTERS = 300
"""Of a command's: most are scripts."""


class Verbose(logging.Handler):
    """Prints with ``write``. ``verbosity`` 1: each command when it starts; 2: when it has ended, with its output."""

    def __init__(self, verbosity: int, write: Callable[[str], None]) -> None:
        super().__init__(logging.DEBUG)
        self._verbosity = verbosity
        self._write = write
        LOGGER.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        execution: Execution = record.__dict__["execution"]
        started = record.levelno == logging.DEBUG
        if self._verbosity == 1 and started:
            self._write(f"{execution.host}: $ {one_line(execution.command, LINE_CHARACTERS)}")
        elif self._verbosity > 1 and not started:
            output = shortened_output(execution.output)
            lines = [described(execution), *(f"    | {line}" for line in output.splitlines())]
            self._write("\n".join(lines))

    def end(self) -> None:
        """Print nothing more."""
        LOGGER.removeHandler(self)
