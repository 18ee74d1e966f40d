"""What hangs is ended."""

import contextlib
import signal
import time

import pytest

from haplane.agent.pipeline import deadline
from haplane.errors import DeadlinePassed


def test_what_hangs_is_ended_even_where_every_error_is_swallowed() -> None:
    began = time.monotonic()
    with pytest.raises(DeadlinePassed, match="the nap"), deadline(0.2, "the nap"):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(30)
    assert time.monotonic() - began < 25


def test_afterwards_no_alarm_rings() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline(60, "nothing"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is before
