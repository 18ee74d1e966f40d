"""The only place that prints. People get lines and tables, programs one JSON document on stdout.

Progress always goes to stderr: all hosts at once on a terminal, plain lines elsewhere, nothing with ``--json``.
Lines are in the log of the run as well, also those that people do not get with ``--json``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from haplane.cli.progress import LiveProgress, PlainProgress, terminal_is_live
from haplane.cli.run_log import RunLog, open_log
from haplane.cli.streams import remark, say, written
from haplane.cli.text import one_line, printable
from haplane.cli.verbose import Verbose
from haplane.errors import ExitCode, HaplaneError

PIPE_COLUMNS = 100
"""The width of tables that do not go to a terminal."""
PLAIN: Mapping[str, Any] = {"markup": False, "emoji": False, "highlight": False}
"""What hosts report is text: `[/]` or `[link=...]` in it is not markup."""


class Terminal(Console):
    """A console that leaves the cursor visible: a run that is killed could not show it again."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class Output:
    """Where one command's messages go. ``verbosity`` is the number of ``-v``.

    ``declined``: the user did not agree to what was asked.
    """

    def __init__(self, *, as_json: bool = False, verbosity: int = 0) -> None:
        self.as_json = as_json
        began = time.monotonic()
        width = None if sys.stdout.isatty() else PIPE_COLUMNS
        self._console = Console(width=width, soft_wrap=True, **PLAIN)
        self._errors = Terminal(stderr=True, **PLAIN)
        live = not as_json and terminal_is_live()
        self._progress = LiveProgress(self._errors, began) if live else PlainProgress(began)
        self.declined = False
        self._log: RunLog | None = None
        self._verbose = Verbose(verbosity, self._progress.print) if verbosity else None

    def begin(self, verb: str, cluster: str | None, hosts: Sequence[str]) -> None:
        """Open the log of the run; ``hosts`` are in the inventory's order. Where that fails, warn and go on."""
        self._progress.expect(hosts)
        name = f"{cluster}-{verb}" if cluster else verb
        try:
            self._log = RunLog(*open_log(name, datetime.now(UTC)), self.warn)
        except (OSError, RuntimeError) as error:  # RuntimeError: nobody knows the home directory
            self.warn(f"warning: this run has no log: {error}; set XDG_STATE_HOME to a directory that can be written")

    def end(self, code: ExitCode | None) -> None:
        """Take progress off the screen, close the log, and name it if the run did not succeed."""
        self._progress.pause()
        if self._log is not None:
            if code and not self.as_json:
                remark(f"log: {self._log.path}")
            self._log.end(code)
        if self._verbose is not None:
            self._verbose.end()

    def line(self, text: str = "") -> None:
        """One line for people, also where a host has put a line break into it; with --json in the log alone."""
        if not self.as_json:
            self._progress.pause()
            say(one_line(text))
        self._note(text)

    def warn(self, text: str) -> None:
        """A line on stderr, also with --json."""
        self._progress.pause()
        remark(one_line(text))
        self._note(text)

    def clear(self) -> None:
        """Start a new screen, on a terminal."""
        self._progress.pause()
        click.clear()

    def document(self, value: object) -> None:
        """The one JSON document of a --json run."""
        if self.as_json:
            say(json.dumps(value, indent=2, default=str))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for people; silent with --json."""
        if self.as_json:
            return
        self._progress.pause()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else one_line(str(cell)) for cell in row))
        with written():
            self._console.print(table)

    def progress(self, subject: str, message: str, fraction: float | None = None) -> None:
        """A :class:`haplane.domain.progress.Progress` that writes to stderr."""
        if message and fraction is None:
            self._note(f"{subject}: {message}")
        if not self.as_json:
            self._progress.report(subject, message, fraction)

    def error(self, error: HaplaneError, cause: BaseException) -> None:
        """A failed command's last message; ``cause`` is the exception whose traceback is logged."""
        self._progress.pause()
        remark(printable(f"haplane: {error}"))
        self.failure(error)
        if self._log is not None:
            self._log.error(error, cause)

    def failure(self, error: HaplaneError) -> None:
        """The JSON document of a run that failed."""
        path = None if self._log is None else str(self._log.path)
        with contextlib.suppress(HaplaneError):  # where stdout is what failed
            self.document({"error": error.document(), "exit_code": int(error.exit_code), "log": path})

    def _note(self, text: str) -> None:
        if self._log is not None and text:
            self._log.write(text)
