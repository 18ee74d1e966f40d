import pytest

from haplane.drills.probing.lanes import State, etcd_versions, lanes, leader_changes, parse_states
from haplane.errors import HaplaneError


def member(host, at, leader, term=2):
    return State("etcd", host, at, {"member": host, "leader": leader, "term": str(term), "version": "3.6.16"})


def shown(states, name, until=10.0):
    lane = next(lane for lane in lanes(states, until) if lane.name == name)
    return [(one.begin, one.end, one.value) for one in lane.segments]


def test_the_leader_is_who_takes_itself_for_it_in_the_highest_term():
    states = [
        *(member(host, 0.0, "m1") for host in ("m1", "m2", "m3")),
        member("m2", 4.0, "0", 3),  # an election; m1, frozen, still has its old view
        member("m2", 5.0, "m2", 3),
        State("etcd", "m1", 6.0, None),
    ]
    assert shown(states, "etcd leader") == [(0.0, 5.0, "m1 (term 2)"), (5.0, 10.0, "m2 (term 3)")]
    assert leader_changes(lanes(states, 10.0)) == 1
    assert etcd_versions(states) == ("3.6.16",)


def test_nobody_leads_while_no_member_reports_that_it_does():
    states = [
        *(member(host, 0.0, "m1") for host in ("m1", "m2")),
        State("etcd", "m1", 3.0, None),
        member("m2", 5.0, "m2", 3),
    ]
    assert [value for _, _, value in shown(states, "etcd leader")] == ["m1 (term 2)", "nobody", "m2 (term 3)"]


def test_an_address_that_two_hosts_have_is_shown_with_both():
    states = [
        State("address", "lb1", 0.0, True),
        State("address", "lb2", 0.0, False),
        State("address", "lb2", 4.0, True),
    ]
    assert shown(states, "endpoint address") == [(0.0, 4.0, "lb1"), (4.0, 10.0, "lb1 and lb2")]


def test_a_lane_begins_when_all_hosts_have_reported():
    """Nobody has the address only if nobody is left who may have it."""
    states = [State("address", "lb1", 0.0, False), State("address", "lb2", 2.0, True)]
    assert shown(states, "endpoint address") == [(2.0, 10.0, "lb2")]


def test_each_api_server_and_node_has_a_lane():
    states = [State("readyz", "m1", 0.0, True), State("readyz", "m1", 2.0, False), State("node", "m2", 1.0, True)]
    assert shown(states, "API server m1") == [(0.0, 2.0, "ready"), (2.0, 10.0, "not ready")]
    assert shown(states, "node m2") == [(1.0, 10.0, "ready")]


@pytest.mark.parametrize("line", ["{}", "[" * 100_000], ids=["empty", "deep"])
def test_a_line_that_is_no_state_is_our_error(line):
    with pytest.raises(HaplaneError, match="not a state"):
        parse_states([line])
