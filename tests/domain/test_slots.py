"""Whose turn it is."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.slots import Candidate, Half, Turn, deputy, eligible, on_duty, owner, turn_at

NAMES = st.sets(st.sampled_from(["m1", "m2", "m3", "m4", "m5"]), min_size=1)


@given(names=NAMES, first=st.integers(0, 1 << 40))
def test_turns_are_shared_evenly_and_the_deputy_is_another(names: set[str], first: int) -> None:
    slots = range(first, first + 4 * len(names))
    assert set(Counter(owner(slot, names) for slot in slots).values()) == {4}
    assert all((deputy(slot, names) != owner(slot, names)) == (len(names) > 1) for slot in slots)


@given(now=st.floats(0, 4e9), interval=st.integers(1, 43_200).map(lambda half: 2 * half))
def test_every_moment_belongs_to_one_half_of_one_slot(now: float, interval: int) -> None:
    turn = turn_at(now, interval)
    begins = turn.slot * interval + (interval / 2 if turn.half is Half.MIDDLE else 0)
    assert begins <= now < begins + interval / 2


def test_the_leader_is_spared_while_a_follower_is_healthy() -> None:
    leader, follower, dead = Candidate("a", True, leader=True), Candidate("b", True), Candidate("c", False)
    assert eligible([leader, follower, dead]) == ("b",)
    assert eligible([leader, dead]) == ("a",)
    assert eligible([dead]) == ()


def test_start_is_the_owners_and_middle_the_deputys() -> None:
    assert on_duty(Turn(7, Half.START), ["m3", "m2"]) == "m3"
    assert on_duty(Turn(7, Half.MIDDLE), ["m3", "m2"]) == "m2"
