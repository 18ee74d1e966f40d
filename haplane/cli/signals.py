"""How SIGINT and SIGTERM end a run: where it waits for something, never in the middle of its code."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from gevent import get_hub, getcurrent

GRACE_SECONDS, AGAIN_SECONDS = 4.0, 0.25
"""For an interrupted run to tidy up. Each of its parts ends by itself too: hosts release their locks, watchdogs undo
faults, the next run removes what was left."""
ENDING = (signal.SIGINT, signal.SIGTERM)
STDERR = 2
HEARD = b"interrupted: ending the current step\n"
"""Written at once, by no stream of Python: the signal may have met one in the middle of a write."""


def end_on_signals() -> None:
    """SIGINT, unless it is ignored, and SIGTERM raise KeyboardInterrupt here, whichever thread they happen to meet.

    Python would raise it in whatever runs at that moment. A thread that gevent made would end and keep it to itself;
    a finaliser would lose it, and leave a lock taken. So it is raised when this thread next waits, from the loop that
    it waits for. What then tidies up is interrupted as well after GRACE_SECONDS, as often as it waits. Should this
    thread wait for nothing until then, or until a second signal, that does not let it go on.
    """
    here, loop = getcurrent(), get_hub().loop
    coming = None

    def raise_here() -> None:
        nonlocal coming
        if coming is None or not coming.pending:
            coming = loop.run_callback_threadsafe(here.throw, KeyboardInterrupt)
        elif getcurrent() is here:
            coming.stop()
            raise KeyboardInterrupt

    def interrupt(number: int, frame: FrameType | None) -> None:
        if coming is None or not coming.pending:
            with suppress(OSError):  # nobody reads it any more
                os.write(STDERR, HEARD)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, AGAIN_SECONDS)
        raise_here()

    signal.signal(signal.SIGALRM, lambda number, frame: raise_here())
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # the last thing: Python drops its handlers after that
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
