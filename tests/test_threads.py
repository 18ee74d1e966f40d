"""Several things at once, as ThreadPoolExecutor has them, and without waiting for them after an interruption."""

import threading

import pytest

from haplane.threads import Threads


def test_results_come_in_the_order_of_what_was_given_and_no_more_than_so_many_run_at_once():
    running, most, lock = 0, 0, threading.Lock()

    def work(number):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1
        return number

    with Threads(3) as pool:
        assert list(pool.map(work, range(12))) == list(range(12))
    assert most == 3


def test_a_failure_is_raised_where_it_is_asked_for_once_the_others_have_ended():
    ended = []
    with pytest.raises(ZeroDivisionError), Threads(2) as pool:
        failing = pool.submit(lambda: 1 / 0)
        pool.submit(lambda: ended.append(threading.Event().wait(0.1)))
        failing.result()
    assert ended == [False]


def test_an_interruption_waits_for_none_and_begins_none():
    first, never, begun = threading.Event(), threading.Event(), []
    with pytest.raises(KeyboardInterrupt), Threads(1) as pool:
        waiting = pool.submit(lambda: (first.set(), never.wait()))
        second = pool.submit(begun.append, "second")
        first.wait(10)
        raise KeyboardInterrupt
    never.set()
    waiting.result(10)
    assert second.cancelled()
    assert begun == []
