"""Which ports hosts need of each other, and what is said when one is blocked."""

from dataclasses import replace

import pytest

from haplane.domain.reach import (
    Blocked,
    Layout,
    Reach,
    blocked,
    confirmed,
    connections,
    described,
    ends_to_leave_out,
    listening,
    without_ends,
)

M, LB, W = ("10.0.0.21", "10.0.0.22", "10.0.0.23"), ("10.0.0.11",), ("10.0.0.61",)
LAYOUT = Layout(M, M, LB, W, apiserver_port=6443, endpoint_port=6443, vxlan=True)
ALL = frozenset(M + LB + W)
NAMES = dict(zip(M + LB + W, ("m1", "m2", "m3", "lb1", "w1"), strict=True))


def found(answers):
    """What is said of these answers of hosts that are all fresh."""
    return [described(one, NAMES, LAYOUT) for one in blocked(answers, connections(LAYOUT, ALL))]


def test_every_connection_has_somebody_who_listens():
    ports = listening(LAYOUT, ALL)
    for source, targets in connections(LAYOUT, ALL).items():
        for protocol, address, port in targets:
            assert address != source
            assert (protocol, port) in ports[address]


def test_a_new_master_is_connected_with_all_and_nobody_takes_flannels_packets_of_others():
    found = connections(LAYOUT, {M[0]})
    assert ("tcp", M[1], 2380) in found[M[0]]
    assert ("tcp", M[0], 2380) in found[M[1]]
    assert ("tcp", M[2], 2380) not in found[M[1]]
    assert {target for targets in found.values() for target in targets if target[0] == "udp"} == {("udp", M[0], 8472)}
    assert listening(LAYOUT, {M[0]})[M[1]] == (("tcp", 2380), ("tcp", 10250))


def test_a_firewall_of_a_worker_that_is_added_later_is_found_by_every_node():
    """VXLAN was tried between new hosts only, and a single one passed with its firewall on."""
    target = ("udp", W[0], 8472)
    found = connections(LAYOUT, set(W))
    assert {source for source, targets in found.items() if target in targets} == set(M)
    assert ("udp", 8472) in listening(LAYOUT, set(W))[W[0]]
    answers = {M[0]: Reach((), ((target, "no answer"),), (0, 6)), W[0]: Reach((("udp", 8472),), (), (0, 6))}
    [problem] = [described(one, NAMES, LAYOUT) for one in blocked(answers, found)]
    assert problem.what == "w1: udp port 8472 (flannel's VXLAN) cannot be reached from m1"
    answers[W[0]] = Reach((), (), (0, 6))  # a device of an earlier cluster has the port
    assert blocked(answers, found) == ()


def test_load_balancers_try_vrrp_before_a_packet_filter_of_ours_is_there():
    """The first asks: what goes the other way would pass a stateful filter as an answer."""
    both = ("10.0.0.11", "10.0.0.12")
    layout = replace(LAYOUT, balancers=both, unfiltered=both)
    target = ("vrrp", both[1], 112)
    assert target in connections(layout, set(both))[both[0]]
    assert not [one for one in connections(layout, set(both))[both[1]] if one[0] == "vrrp"]
    assert listening(layout, set(both))[both[1]] == (("tcp", 6443), ("vrrp", 112))
    assert target not in connections(replace(layout, unfiltered=both[:1]), set(both))[both[0]]
    names = dict(zip(both, ("lb1", "lb2"), strict=True))
    problem = described(Blocked(target, {both[0]: "no answer"}), names, layout)
    assert problem.what == "lb2: VRRP (IP protocol 112) does not arrive from lb1"
    assert problem.next_step == "allow it both ways: IP protocol 112 between 10.0.0.12 and 10.0.0.11"


def test_a_blocked_port_is_named_with_both_ends():
    target = ("tcp", M[1], 2380)
    listens = Reach((("tcp", 2380),), ())
    answers = {M[0]: Reach((), ((target, "no answer"),)), M[1]: listens, M[2]: Reach((), ((target, "no answer"),))}
    [problem] = found(answers)
    assert problem.what == "m2: tcp port 2380 (etcd's members) cannot be reached from m1, m3"
    assert problem.next_step == "allow it: on m2 tcp 2380 from 10.0.0.21, 10.0.0.23"


def test_a_refusal_counts_only_where_somebody_listened():
    target = ("tcp", M[1], 2380)
    answers = {M[0]: Reach((), ((target, "refused"),), (0, 6)), M[1]: Reach((), (), (0, 6))}
    assert found(answers) == []
    answers[M[1]] = Reach((("tcp", 2380),), (), (0, 6))
    assert len(found(answers)) == 1
    answers[M[1]] = Reach((("tcp", 2380),), (), (5, 11))  # it came late: neither had much of the other
    assert found(answers) == []


def test_what_a_host_that_gave_no_answer_would_have_had_is_unknown():
    assert found({M[0]: Reach((), ((("tcp", M[1], 2380), "no answer"),))}) == []


ETCD, KUBELET, ENDPOINT = ("tcp", M[1], 2380), ("tcp", W[0], 10250), ("tcp", LB[0], 6443)


def test_only_what_a_host_was_asked_to_try_counts():
    """A worker reported that it does not get to etcd's peers, which it never connects to."""
    answers = {
        W[0]: Reach((), ((ETCD, "no answer"), (ENDPOINT, "no answer"))),
        M[1]: Reach((), ()),
        LB[0]: Reach((), ()),
    }
    assert [one.target for one in blocked(answers, connections(LAYOUT, ALL))] == [ENDPOINT]


def test_what_only_one_look_found_is_not_confirmed():
    first = [Blocked(ETCD, {M[0]: "x", M[2]: "x"}), Blocked(KUBELET, {M[0]: "x"})]
    second = [Blocked(ETCD, {M[0]: "y"}), Blocked(ENDPOINT, {M[0]: "y"})]
    assert confirmed(first, second) == (Blocked(ETCD, {M[0]: "y"}),)


@pytest.mark.parametrize(
    ("one", "ends", "left"),
    [
        (Blocked(ETCD, {M[0]: "x"}), set(), True),
        (Blocked(("tcp", M[0], 6443), {LB[0]: "x"}), {LB[0]}, False),
        (Blocked(("udp", M[0], 8472), {W[0]: "x", M[1]: "x"}), {W[0]}, True),
        (Blocked(KUBELET, {M[0]: "x"}), {W[0]}, False),
        (Blocked(ENDPOINT, {M[0]: "x", W[0]: "x"}), {LB[0]}, False),
        (Blocked(ENDPOINT, {W[0]: "x"}), {W[0]}, False),
    ],
)
def test_of_two_ends_the_one_that_is_no_master_is_left_out(one, ends, left):
    found = ends_to_leave_out([one], M)
    assert found.keys() == ends
    assert bool(without_ends([one], found)) is left
