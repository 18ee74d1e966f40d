"""Waiting is a condition with a deadline and a message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from haplane.errors import DeadlinePassed

Found = TypeVar("Found")

POLL_SECONDS = 0.1


class Clock(Protocol):
    """The module ``time``, or a run's executor."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float, /) -> None:
        """Wait; a signal ends it at once."""


def wait_until(
    condition: Callable[[], Found | None],
    seconds: float,
    what: str,
    *,
    every: float = POLL_SECONDS,
    why: Callable[[], str | None] = lambda: None,
    clock: Clock = time,
) -> Found:
    """Ask ``condition`` until it answers something true, and return that.

    Raises DeadlinePassed after ``seconds``, saying what was waited for and, from ``why``, what stood in the way.
    """
    deadline = clock.monotonic() + seconds
    while True:
        if found := condition():
            return found
        left = deadline - clock.monotonic()
        if left <= 0:
            raise DeadlinePassed(f"not within {seconds:g} s: {what}", why=why())
        clock.sleep(min(every, left))
