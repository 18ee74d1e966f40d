"""How progress looks: plain lines, or on a terminal all hosts at once."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from haplane.cli.streams import remark
from haplane.cli.text import one_line, printable
from haplane.domain.progress import Activity

PLAIN_LINE_SECONDS = 5.0
"""A message of which only the fraction or a count has changed is printed again after this time."""
REFRESHES_PER_SECOND = 4
FOR_PROGRAMS = ("CI", "NO_COLOR")
"""Environment variables that ask for plain lines."""


def terminal_is_live(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether stderr is a terminal on which lines can be replaced, and nobody asks for plain lines."""
    plain = any(environment.get(name) for name in FOR_PROGRAMS) or environment.get("TERM") in (None, "", "dumb")
    return sys.stderr.isatty() and not plain


class PlainProgress:
    """A line for each message."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._last: dict[str, tuple[str, float]] = {}

    def report(self, subject: str, message: str, fraction: float | None) -> None:
        """As :class:`haplane.domain.progress.Progress`."""
        now = time.monotonic()
        kind = re.sub(r"\d+", "", message)  # a message that only counts on is the same message
        last, printed_at = self._last.get(subject, ("", 0.0))
        if not message or (last == kind and now - printed_at < PLAIN_LINE_SECONDS):
            return
        self._last[subject] = (kind, now)
        self.print(one_line(elapsed(self._began, now) + f"{subject}: {message}{percent(fraction)}"))

    def print(self, line: str) -> None:
        """A line of its own."""
        remark(printable(line))

    def expect(self, hosts: Sequence[str]) -> None:
        """Lines need no names of hosts beforehand."""

    def pause(self) -> None:
        """There is nothing to take off the screen."""


@dataclass(frozen=True)
class Row:
    """What a host does, and since when (as of time.monotonic)."""

    message: str
    since: float
    fraction: float | None = None


class LiveProgress:
    """The current step on top, a row for each host that takes part in it; what has ended scrolls away above.

    ``pause`` takes it off the screen, for a question or the end; the next message brings it back.
    """

    def __init__(self, console: Console, began: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._began = began
        self._clock = clock
        self._hosts: tuple[str, ...] = ()
        self._step: Row | None = None
        self._rows: dict[str, Row] = {}
        self._live: Live | None = None

    def expect(self, hosts: Sequence[str]) -> None:
        """The names of the inventory's hosts, in its order: messages about others are steps."""
        self._hosts = tuple(hosts)

    def report(self, subject: str, message: str, fraction: float | None) -> None:
        """As :class:`haplane.domain.progress.Progress`."""
        now, names = self._clock(), subject.split(", ")
        about_hosts = all(name in self._hosts for name in names)
        if fraction is None and not isinstance(message, Activity):
            if about_hosts:
                self.print(one_line(elapsed(self._began, now) + f"{subject}: {message}"))
            else:
                self._end_step()
                self._step = Row(f"{subject}: {message}", now)
        if about_hosts or fraction is not None:
            for name in names:
                known = self._rows.get(name)
                since = known.since if known and known.message == message else now
                self._rows[name] = Row(message, since, fraction)
        self._show()

    def print(self, line: str) -> None:
        """A line of its own, above."""
        self._console.print(Text(printable(line)), soft_wrap=True)

    def pause(self) -> None:
        """Leave the screen to others."""
        self._end_step()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _end_step(self) -> None:
        """The step that was under way becomes a line, with the time that it took."""
        ended, self._step, self._rows = self._step, None, {}
        if ended is not None:
            took = self._clock() - ended.since
            self.print(one_line(elapsed(self._began, ended.since) + f"{ended.message} ({took:.1f} s)"))

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(
                get_renderable=self._screen,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)

    def _screen(self) -> Group:
        """The step and its rows, never wider or higher than the terminal."""
        now = self._clock()
        lines = [elapsed(self._began, now) + self._step.message] if self._step is not None else []
        names = [name for name in dict.fromkeys((*self._hosts, *self._rows)) if name in self._rows]
        longest = max((len(name) for name in names), default=0)
        room = max(1, self._console.height - 3)
        for name in names[:room]:
            row = self._rows[name]
            since = f"{now - row.since:4.0f} s" if row.message else " " * 6
            lines.append(f"{since:>7}  {name:<{longest}}  {row.message or '-'}{percent(row.fraction)}")
        if len(names) > room:
            lines.append(f"         and {len(names) - room} more")
        return Group(*(self._fitting(line) for line in lines))

    def _fitting(self, line: str) -> Text:
        text = Text(one_line(line), no_wrap=True)
        text.truncate(max(1, self._console.width - 1), overflow="ellipsis")
        return text


def elapsed(began: float, now: float) -> str:
    """The time since the run began, before a line."""
    return f"{now - began:6.1f}s  "


def percent(fraction: float | None) -> str:
    """`` 40%``, or nothing where it is not known."""
    return "" if fraction is None else f" {fraction:4.0%}"
