import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.drills.probing.timeline import (
    Request,
    acknowledged_writes,
    gaps,
    of_kind,
    parse,
    service,
    slices,
    stale_reads,
    steady_seconds,
)
from haplane.errors import HaplaneError

PERIOD = 0.05


def at(number, ok, answer=0.01, kind="read"):
    sent = number * PERIOD
    return Request(kind, number, sent, sent, sent + (answer if ok else 1.0), ok, 200 if ok else None)


def reads(pattern):
    return [at(number, mark == ".") for number, mark in enumerate(pattern)]


def test_a_gap_lasts_from_the_first_failure_sent_to_the_end_of_the_next_success():
    (gap,) = gaps(reads("..XXX.."))
    assert (gap.began, gap.failed) == (2 * PERIOD, 3)
    assert gap.seconds == pytest.approx(3 * PERIOD + 0.01)


def test_each_run_of_failures_is_a_gap_of_its_own():
    assert [gap.failed for gap in gaps(reads("X.XX..X."))] == [1, 2, 1]


def test_a_gap_that_never_ended_is_a_gap_and_is_not_recovered():
    seen = service(reads("..XX"), "read")
    assert seen.gaps == 1
    assert not seen.recovered
    assert seen.gap_seconds == pytest.approx(PERIOD + 1.0)


def test_a_request_in_flight_when_the_fault_strikes_counts_with_the_gap_it_begins():
    """It was sent before, but it is the fault that it never got its answer."""
    requests = reads("....XXXX.....")
    seen = service(requests, "read", since=4.5 * PERIOD)
    assert seen.gaps == 1
    assert seen.failed == 4
    assert seen.gap_seconds == pytest.approx(4 * PERIOD + 0.01)


def test_a_gap_that_is_over_before_the_span_does_not_count():
    requests = [at(0, ok=True), at(1, ok=False), *(at(number, ok=True) for number in range(2, 60))]
    assert service(requests, "read", since=40 * PERIOD).gaps == 0
    assert service(requests, "read", until=1 * PERIOD).gaps == 0


def test_kinds_are_judged_apart_and_steady_only_together():
    requests = [at(number, True) for number in range(40)]
    requests += [at(number, number > 20, kind="write") for number in range(40)]
    assert service(requests, "read").failed == 0
    assert service(requests, "write").failed == 21
    assert steady_seconds(requests) == pytest.approx(19 * PERIOD)
    assert steady_seconds([at(number, True) for number in range(40)]) == 0.0
    assert acknowledged_writes(requests) == frozenset(range(21, 40))


NO_REQUESTS = ("Traceback (most recent call last):", "{}", "[]", '{"kind": "read", "more": 1}', "[" * 100_000)


@pytest.mark.parametrize("line", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
def test_a_line_that_is_no_request_is_shown(line):
    with pytest.raises(HaplaneError) as caught:
        parse([at(0, True).to_line(), line])
    assert caught.value.where == line[:120]


@st.composite
def timelines(draw):
    """Any order of answers: a slow success may complete long after the ones sent behind it."""
    outcomes = draw(st.lists(st.tuples(st.booleans(), st.floats(0.001, 1.0), st.floats(0, 0.2)), max_size=60))
    sent, requests = 0.0, []
    for number, (ok, answer, pause) in enumerate(outcomes):
        requests.append(Request("read", number, sent, sent, sent + (answer if ok else 1.0), ok))
        sent += pause + 0.001
    return requests


@given(timelines(), st.randoms(use_true_random=False))
def test_gaps_account_for_every_failure_whatever_the_order_of_answers(requests, random):
    shuffled = requests[:]
    random.shuffle(shuffled)
    found = gaps(of_kind(shuffled, "read"))
    assert sum(gap.failed for gap in found) == sum(not request.ok for request in requests)
    for request in requests:
        if not request.ok:
            later = [other.done for other in requests if other.ok and other.sent > request.sent]
            holding = [gap for gap in found if gap.began <= request.sent <= gap.began + gap.seconds]
            assert holding
            assert (holding[-1].ended is None) == (not later)
    for gap in found:
        assert gap.seconds > 0
        successes = [other for other in requests if other.ok and other.sent > gap.began]
        if successes:
            assert gap.ended == successes[0].done


@given(timelines(), st.floats(0, 10))
def test_two_spans_lose_nothing_of_what_the_whole_holds(requests, boundary):
    whole = service(requests, "read")
    parts = [service(requests, "read", until=boundary), service(requests, "read", since=boundary)]
    assert sum(part.requests for part in parts) >= whole.requests
    assert sum(part.failed for part in parts) >= whole.failed
    assert sum(part.gaps for part in parts) >= whole.gaps
    assert max(part.gap_seconds for part in parts) == whole.gap_seconds
    assert all(part.recovered for part in parts) == whole.recovered


@given(timelines())
def test_lines_read_back_as_the_requests_they_were(requests):
    assert parse(request.to_line() for request in requests) == requests


def test_a_read_that_does_not_find_the_last_acknowledged_write_is_stale():
    found, missing = at(0, True), Request("read", 1, 0.05, 0.05, 0.06, False, 404)
    unwritten = Request("write", 1, 0.05, 0.05, 0.06, False, 404)
    assert stale_reads([found, missing, unwritten, at(2, False)]) == 1


def test_slices_of_time_are_joined_while_they_are_alike_and_show_every_failure():
    requests = reads("." * 10 + "X" * 10 + ".X." + "." * 7)
    shown = [(one.value, one.good) for one in slices(requests, "read", seconds=5 * PERIOD)]
    assert shown == [("ok", True), ("none succeeded", False), ("some failed", False), ("ok", True)]
