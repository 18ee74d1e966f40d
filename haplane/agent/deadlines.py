"""A deadline for calls into libraries whose own timeouts are for each byte."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Late(Exception):
    """The call did not end in time. Its thread may still wait, and is left behind."""


def within(seconds: float, act: Callable[[], T]) -> T:
    """What ``act`` returns or raises, run in a thread of its own. Raises Late after so many seconds."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(act())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failure.append(error)

    waiting = threading.Thread(target=run, daemon=True)
    waiting.start()
    waiting.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise Late(f"no end within {seconds:.0f} s")
    return outcome[0]
