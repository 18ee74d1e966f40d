"""How much is on its way to a host, on lines that a model of them has."""

import pytest

from haplane.remote.pace import FLOOR_BYTES, QUEUE_SECONDS, Pace


def pushed(rate, delay, size, step=0.005):
    """Seconds for all of it, and the longest that a byte waited in the queue of a line of that rate and delay."""
    now = 0.0
    pace = Pace(lambda: now)
    sent = delivered = 0.0
    reports, longest = [], 0.0
    while pace.arrived < size:
        sent = min(size, max(sent, pace.arrived + pace.window))
        longest = max(longest, (sent - delivered) / rate)
        delivered = min(sent, delivered + rate * step)
        now += step
        reports.append((now + delay, int(delivered)))
        while reports and reports[0][0] <= now:
            pace.report(reports.pop(0)[1])
    return now, longest


@pytest.mark.parametrize("rate", [100e3, 625e3, 12e6, 120e6])
@pytest.mark.parametrize("delay", [0.0005, 0.3])
def test_a_queue_is_as_long_as_a_second_or_the_floor_and_the_line_is_used(rate, delay):
    size = 60 * rate
    seconds, longest = pushed(rate, delay, size)
    assert longest < max(2 * QUEUE_SECONDS, FLOOR_BYTES / rate) + 2 * delay
    assert seconds < 1.15 * size / rate + 3


def test_reports_never_go_back():
    pace = Pace()
    pace.report(100)
    pace.report(50)
    assert pace.arrived == 100
