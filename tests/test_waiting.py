"""Waiting ends with what was waited for."""

import pytest

from haplane.errors import DeadlinePassed
from haplane.waiting import wait_until


def test_what_the_condition_found_is_returned():
    answers = iter([None, "", "sunrise"])
    assert wait_until(lambda: next(answers), 5, "the sun rises", every=0.001) == "sunrise"


def test_the_deadline_names_what_was_waited_for_and_what_stood_in_the_way():
    with pytest.raises(DeadlinePassed, match="the sun rises") as passed:
        wait_until(lambda: False, 0.01, "the sun rises", every=0.001, why=lambda: "it is night")
    assert passed.value.why == "it is night"
