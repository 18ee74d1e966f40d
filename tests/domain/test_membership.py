"""Every state of a member list and its machines: safe at each change, and at an end."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haplane.domain.membership import Act, Blocked, Change, Listed, Machine, Membership, leave, next_change
from haplane.domain.membership_forecast import after, foresee


def commits(now):
    """The definition: those that serve are more than those that do not."""
    return now.healthy > len(now.voters) - now.healthy


def address(number):
    return f"10.0.0.{number}"


@st.composite
def moments(draw, most=7):
    """Members and machines of 1 to 7 addresses, some of either missing, in any state."""
    listed, machines, may_leave = [], [], set()
    for number in range(1, draw(st.integers(1, most)) + 1):
        name = f"m{number}"
        is_listed, is_wanted = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
        member = Listed(number, name, address(number), draw(st.booleans()), draw(st.booleans()))
        if is_listed:
            if member.learner and draw(st.booleans()):
                member = replace(member, name="", serves=False)
            listed.append(member)
        if is_wanted:
            answers = member.serves or draw(st.booleans())
            has_data = member.serves or draw(st.booleans())
            machines.append(Machine(name, address(number), answers, has_data, is_listed and draw(st.booleans())))
        elif draw(st.booleans()):
            may_leave.add(address(number))
    alarms = draw(st.frozensets(st.integers(1, most), max_size=1))
    return Membership(tuple(listed), tuple(machines), frozenset(may_leave), alarms)


@settings(max_examples=300, deadline=None)
@given(moments())
def test_writes_never_stop_by_our_hand_and_changes_come_to_an_end(now):
    could_commit = commits(now)
    most = max(len(now.voters), len(now.machines) + len(now.may_leave))
    for number in range(100, 200):
        change = next_change(now)
        if not isinstance(change, Change):
            break
        before, now = now, after(now, change, number)
        assert could_commit, change
        assert commits(now), change
        assert len({*before.listed} ^ {*now.listed}) <= 2, "one member at a time"
        assert len(now.voters) <= most
        assert change.act is not Act.ADD or not any(member.learner for member in before.listed)
    else:
        pytest.fail("no end")
    if change is None and could_commit:
        voting = {now.machine_of(member) for member in now.voters}
        assert None not in voting
        assert {machine for machine in now.machines if machine.answers} <= voting


def healthy(*numbers, machines=(), **changes):
    listed = tuple(Listed(number, f"m{number}", address(number), False, True) for number in numbers)
    wanted = tuple(Machine(f"m{number}", address(number), True, True) for number in machines or numbers)
    return Membership(listed, wanted, **changes)


def without_data(now, *names):
    """The machines of these names are on and empty, and their members do not serve."""
    machines = tuple(replace(one, has_data=False) if one.name in names else one for one in now.machines)
    listed = tuple(replace(one, serves=False) if one.name in names else one for one in now.listed)
    return replace(now, machines=machines, listed=listed)


def acts(now):
    changes, blocked = foresee(now)
    return [(change.act.name, change.name) for change in changes], blocked


REBUILT = ["REMOVE", "ADD", "START", "PROMOTE"]


@pytest.mark.parametrize("name", ["m1", "m2", "m3"])
def test_a_member_that_lost_its_data_is_replaced_whichever_it_is(name):
    found, blocked = acts(without_data(healthy(1, 2, 3), name))
    assert (found, blocked) == ([(act, name) for act in REBUILT], None)


def test_a_replaced_member_makes_no_more_voters_than_there_were():
    now = without_data(healthy(1, 2, 3), "m2")
    for number, change in enumerate(foresee(now)[0], start=10):
        now = after(now, change, number)
        assert len(now.voters) <= 3


def test_with_the_majority_gone_nothing_is_touched():
    changes, blocked = foresee(without_data(healthy(1, 2, 3), "m1", "m2"))
    assert changes == ()
    assert blocked == Blocked("etcd has no quorum", "3 voters need 2 healthy; 1 are")


def test_one_that_is_merely_off_is_left_alone():
    now = healthy(1, 2, 3)
    off = replace(
        now,
        listed=(*now.listed[:2], replace(now.listed[2], serves=False)),
        machines=(*now.machines[:2], replace(now.machines[2], answers=False)),
    )
    assert foresee(off) == ((), None)


def test_a_dead_machine_that_left_the_inventory_is_replaced_by_the_new_one():
    now = healthy(1, 2, 3, machines=(1, 3, 4))
    dead = replace(now, listed=tuple(replace(one, serves=one.name != "m2") for one in now.listed))
    found, blocked = acts(dead)
    assert found == [("REMOVE", "m2"), ("ADD", "m4"), ("START", "m4"), ("PROMOTE", "m4")]
    assert blocked is None


def test_a_living_machine_that_left_the_inventory_is_not_cut_off():
    found, blocked = acts(healthy(1, 2, 3, machines=(1, 3, 4)))
    assert found == []
    assert "m2 at 10.0.0.2" in blocked.what


def test_growing_and_shrinking_is_one_after_the_other_and_leaving_comes_last():
    assert [act for act, _ in acts(healthy(1, machines=(1, 2, 3)))[0]] == REBUILT[1:] * 2
    down = acts(healthy(1, 2, 3, 4, 5, machines=(1, 2, 3), may_leave=frozenset({address(4), address(5)})))
    assert down == ([("LEAVE", "m4"), ("LEAVE", "m5")], None)
    swapped = acts(healthy(1, 2, 3, machines=(2, 3, 4), may_leave=frozenset({address(1)})))
    assert [act for act, _ in swapped[0]] == [*REBUILT[1:], "LEAVE"]


def test_one_that_leaves_and_is_late_to_answer_is_not_taken_for_dead():
    now = healthy(1, 2, 3, machines=(2, 3), may_leave=frozenset({address(1)}))
    late = replace(now, listed=(replace(now.listed[0], serves=False), *now.listed[1:]))
    assert acts(late) == ([("LEAVE", "m1")], None)


def test_nobody_leaves_before_its_replacement_votes():
    now = healthy(1, 2, 3, machines=(2, 3, 4), may_leave=frozenset({address(1)}))
    silent = replace(now, machines=(*now.machines[:2], replace(now.machines[2], answers=False)))
    assert next_change(silent) == Blocked("m1 cannot be decommissioned yet", "m4 must become members first")
    assert leave(silent, silent.voters[0]) == next_change(silent)


def test_given_up_data_go_only_while_the_others_are_enough():
    now = healthy(1, 2, 3)
    corrupt = replace(now, machines=(replace(now.machines[0], discards=True), *now.machines[1:]))
    assert [act for act, _ in acts(corrupt)[0]] == REBUILT
    one_off = replace(corrupt, listed=(*corrupt.listed[:2], replace(corrupt.listed[2], serves=False)))
    [changes, blocked] = foresee(one_off)
    assert changes == ()
    assert blocked.why == "3 voters need 2 healthy; 2 are; without m1, 1 of 2 would be, and 2 are needed"


def test_an_alarm_is_taken_back_only_when_the_corrupt_member_is_gone():
    now = healthy(1, 2, 3, alarms=frozenset({2}))
    assert next_change(now) is None
    corrupt = replace(now, machines=tuple(replace(one, discards=one.name == "m2") for one in now.machines))
    assert [act for act, _ in acts(corrupt)[0]] == ["REMOVE", "DISARM", *REBUILT[1:]]


@pytest.mark.parametrize(
    ("name", "serves", "has_data", "act"),
    [("", False, False, Act.START), ("m4", False, True, Act.START), ("m4", True, True, Act.PROMOTE)],
)
def test_an_interrupted_join_is_carried_on(name, serves, has_data, act):
    now = healthy(1, 2, 3, machines=(1, 2, 3, 4))
    learner = Listed(9, name, address(4), True, serves)
    machines = (*now.machines[:3], replace(now.machines[3], has_data=has_data))
    assert next_change(replace(now, listed=(*now.listed, learner), machines=machines)).act is act
