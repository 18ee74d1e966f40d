from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.quorum import MemberState, can_lose, has_quorum, majority, may_stop

HEALTHY, UNHEALTHY, LEARNER = MemberState.HEALTHY, MemberState.UNHEALTHY, MemberState.LEARNER


def commits(voters: int, healthy: int) -> bool:
    """Whether no disjoint group of voters could commit something else: the definition, not the formula."""
    return healthy > voters - healthy


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_the_invariant_holds_for_every_state_of_every_member(size: int) -> None:
    for states in product(MemberState, repeat=size):
        members = {f"m{number}": state for number, state in enumerate(states)}
        voters = [name for name, state in members.items() if state is not LEARNER]
        healthy = {name for name in voters if members[name] is HEALTHY}
        for name, state in members.items():
            allowed = may_stop(members, name).allowed
            if state is LEARNER:
                assert allowed
                continue
            before = commits(len(voters), len(healthy))
            after = commits(len(voters), len(healthy - {name}))
            assert allowed == (before and after)


@given(states=st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from(MemberState), min_size=1))
def test_after_every_allowed_stop_writes_go_on(states: dict[str, MemberState]) -> None:
    voters = sum(state.votes for state in states.values())
    for name in list(states):
        if states[name] is HEALTHY and may_stop(states, name).allowed:
            states[name] = UNHEALTHY
            assert has_quorum(voters, sum(state is HEALTHY for state in states.values()))


@given(voters=st.integers(1, 50), healthy=st.integers(0, 50))
def test_can_lose_is_the_most_that_may_be_lost(voters: int, healthy: int) -> None:
    healthy = min(voters, healthy)
    spare = can_lose(voters, healthy)
    assert not commits(voters, healthy - spare - 1)
    assert commits(voters, healthy - spare) == commits(voters, healthy)


def test_an_even_size_tolerates_no_more_than_the_odd_one_below() -> None:
    assert [majority(size) for size in range(1, 8)] == [1, 2, 2, 3, 3, 4, 4]
    assert [can_lose(size, size) for size in range(1, 8)] == [0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ((HEALTHY, HEALTHY), "3 voters need 2 healthy; 3 are, without m1 2 remain"),
        ((HEALTHY, UNHEALTHY), "3 voters need 2 healthy; 2 are, without m1 1 would remain: writes would stop"),
        (
            (UNHEALTHY, UNHEALTHY),
            "3 voters need 2 healthy; 1 are: there is no quorum, and m1 may have the newest data",
        ),
    ],
)
def test_the_arithmetic_is_said(others: tuple[MemberState, MemberState], words: str) -> None:
    assert may_stop({"m1": HEALTHY, "m2": others[0], "m3": others[1]}, "m1").arithmetic == words


def test_what_is_no_question() -> None:
    with pytest.raises(KeyError):
        may_stop({"m1": HEALTHY}, "m2")
    with pytest.raises(ValueError, match="at least one voter"):
        majority(0)
