"""How SIGINT and SIGTERM end a run: where it waits for something, never in the middle of its code."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from gevent import get_hub, getcurrent

ENDING = (signal.SIGINT, signal.SIGTERM)
STDERR = 2
HEARD = b"interrupted: ending the current step\n"
"""Written at once, by no stream of Python: the signal may have met one in the middle of a write."""


def end_on_signals() -> None:
    """SIGINT, unless it is ignored, and SIGTERM raise KeyboardInterrupt here, whichever thread they happen to meet.

    Python would raise it in whatever runs at that moment. A thread that gevent made would end and keep it to itself;
    a finaliser would lose it, and leave a lock taken. So it is raised when this thread next waits, from the loop that
    it waits for. Should it wait for nothing, a second signal does not let it go on.
    """
    here, loop = getcurrent(), get_hub().loop
    coming = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal coming
        if coming is None or not coming.pending:
            with suppress(OSError):  # nobody reads it any more
                os.write(STDERR, HEARD)
            coming = loop.run_callback_threadsafe(here.throw, KeyboardInterrupt)
        elif getcurrent() is here:
            coming.stop()
            raise KeyboardInterrupt

    for ending in _heeded():
        signal.signal(ending, interrupt)


@contextmanager
def ended_at_once() -> Iterator[None]:
    """While this thread waits for what gevent knows nothing of, as an answer typed in: KeyboardInterrupt at once."""
    before = {ending: signal.signal(ending, signal.default_int_handler) for ending in _heeded()}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def _heeded() -> list[signal.Signals]:
    return [ending for ending in ENDING if signal.getsignal(ending) is not signal.SIG_IGN]
