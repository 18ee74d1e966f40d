"""The only place that prints. People get lines and tables, programs one JSON document on stdout.

Progress always goes to stderr: live on a terminal, plain lines in a pipe, nothing with ``--json``.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from haplane.errors import HaplaneError

PLAIN_LINE_SECONDS = 5.0  # in a pipe, a message that only moves its fraction or count is repeated this often


PIPE_COLUMNS = 100  # where nobody says how wide it is


class Output:
    """Where one command's words go."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.started = time.monotonic()
        width = None if sys.stdout.isatty() else PIPE_COLUMNS
        self._console = Console(highlight=False, soft_wrap=True, width=width)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live_line = False
        self._last: dict[str, tuple[str, float]] = {}

    def line(self, text: str = "") -> None:
        """One line for people; silent with --json."""
        if not self.as_json:
            self._end_live_line()
            click.echo(printable(text))

    def warn(self, text: str) -> None:
        """A line on stderr, also with --json."""
        self._end_live_line()
        click.echo(printable(text), err=True)

    def document(self, value: object) -> None:
        """The one JSON document of a --json run."""
        if self.as_json:
            click.echo(json.dumps(value, indent=2, default=str))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table for people; silent with --json."""
        if self.as_json:
            return
        self._end_live_line()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else printable(str(cell)) for cell in row))
        self._console.print(table)

    def progress(self, subject: str, message: str, fraction: float | None = None) -> None:
        """A :class:`haplane.domain.progress.Progress` that writes to stderr."""
        if self.as_json:
            return
        now = time.monotonic()
        kind = re.sub(r"\d+", "", message)  # a message that only counts on is the same message
        last, said_at = self._last.get(subject, ("", 0.0))
        live = self._errors.is_terminal
        if last == kind and not live and now - said_at < PLAIN_LINE_SECONDS:
            return
        self._last[subject] = (kind, now)
        percent = "" if fraction is None else f" {fraction:4.0%}"
        line = printable(f"{now - self.started:6.1f}s  {subject}: {message}{percent}")
        if live and last == kind:
            click.echo(f"\r\x1b[2K{line}", err=True, nl=False)
            self._live_line = True
        else:
            self._end_live_line()
            click.echo(line, err=True)

    def error(self, error: HaplaneError) -> None:
        """A failed command's last words."""
        self._end_live_line()
        click.echo(printable(f"haplane: {error}"), err=True)
        if self.as_json:
            self.document({"error": str(error), "exit_code": int(error.exit_code)})

    def _end_live_line(self) -> None:
        if self._live_line:
            sys.stderr.write("\n")
            self._live_line = False


def printable(text: str) -> str:
    """The text without what would steer a terminal: hosts' own words are in it."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)
