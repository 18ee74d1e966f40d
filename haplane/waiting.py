"""Waiting is a condition with a deadline and a message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from haplane.errors import DeadlinePassed

Found = TypeVar("Found")

POLL_SECONDS = 0.1


def wait_until(
    condition: Callable[[], Found | None],
    seconds: float,
    what: str,
    *,
    every: float = POLL_SECONDS,
    why: Callable[[], str | None] = lambda: None,
) -> Found:
    """Ask ``condition`` until it answers something true, and return that.

    Raises DeadlinePassed after ``seconds``, saying what was waited for and, from ``why``, what stood in the way.
    """
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed(f"not within {seconds:g} s: {what}", why=why())
        time.sleep(min(every, left))
