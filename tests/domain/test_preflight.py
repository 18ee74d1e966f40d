from dataclasses import replace

import pytest
import samples

from haplane.domain.preflight import Expectations, Window, doubts, ports_of, problems

WINDOW = Window(asked_at=100, answered_at=102)
MASTER = Expectations(
    address="10.0.0.21",
    is_node=True,
    is_balancer=False,
    tolerates_cgroups_v1=False,
    ports={6443: "kube-apiserver", 2379: "etcd"},
    endpoint="10.0.0.10:6443",
    packages_are_local=False,
)
BALANCER = replace(MASTER, is_node=False, is_balancer=True, ports={})
MACHINE = samples.document()["machine"]


def found(expected=MASTER, window=WINDOW, architecture="amd64", **changes):
    problem = problems({"m1": expected}, {"m1": samples.report(**changes)}, window, architecture)
    assert all(each.next_step for each in problem)
    return [each.what for each in problem]


def test_a_sound_host_has_no_problem():
    assert found() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user_id": 1000}, "commands do not run as root"),
        ({"architecture": "aarch64"}, "wrong architecture"),
        ({"architecture": "riscv64"}, "wrong architecture"),
        ({"init": "runit"}, "systemd does not run it"),
        ({"missing_commands": ["zstd", "tar"]}, "zstd tar not installed"),
        ({"memory_bytes": 1 << 30}, "too little memory"),
        ({"swap_bytes": 1 << 20}, "swap is on"),
        ({"disk_free_bytes": 1 << 30}, "the disk is too full"),
        ({"os_version": "10"}, "its system is too old"),
        ({"os_id": "ubuntu", "os_version": "20.04"}, "its system is too old"),
    ],
)
def test_what_a_machine_lacks(change, words):
    assert found(machine=MACHINE | change) == [f"m1: {words}"]


@pytest.mark.parametrize(("python", "fit"), [("3.10.12", False), ("3.11.2", True), ("3.13.0", True), ("", True)])
def test_the_snapshot_agent_needs_a_newer_python_than_the_rest(python, fit):
    machine = MACHINE | {"python": python}
    expected = [] if fit else ["m1: its Python is too old"]
    assert found(replace(MASTER, takes_snapshots=True), machine=machine) == expected
    assert found(machine=machine) == []


@pytest.mark.parametrize(
    ("name", "version", "doubted"),
    [
        ("debian", "11", False),
        ("debian", "", False),
        ("ubuntu", "22.04", False),
        ("rocky", "9.4", True),
        ("", "", True),
    ],
)
def test_systems_that_nobody_tried_are_doubted_and_not_refused(name, version, doubted):
    machine = MACHINE | {"os_id": name, "os_version": version}
    assert found(machine=machine) == []
    assert [host for host, _ in doubts({"m1": samples.report(machine=machine)})] == (["m1"] if doubted else [])


def test_what_could_not_be_looked_at_is_not_taken_for_absent():
    assert found(failed={"etcd": "TypeError()"}) == ["m1: its etcd cannot be looked at"]


def test_all_of_all_hosts_is_said_at_once():
    poor = MACHINE | {"user_id": 1000, "init": "runit", "memory_bytes": 0, "swap_bytes": 1}
    reports = {name: samples.report(machine=poor, addresses={}, listening={"6443": "nginx"}) for name in ("m1", "m2")}
    every = problems({"m1": MASTER, "m2": MASTER}, reports, Window(0, 1), "arm64")
    assert len(every) == 2 * 8


def test_a_load_balancer_needs_no_memory_for_kubernetes_and_may_swap():
    assert found(BALANCER, machine=MACHINE | {"memory_bytes": 1 << 28, "swap_bytes": 1}) == []


def test_a_full_disk_is_the_clusters_own_once_it_lives_there():
    etcd = samples.document()["etcd"] | {"has_data": True}
    assert found(machine=MACHINE | {"disk_free_bytes": 0}, etcd=etcd) == []


def test_packages_need_apt_unless_they_are_there_or_brought_along():
    without = MACHINE | {"apt": False}
    units = {name: {"active": True, "enabled": True, "needs_reload": False} for name in ("haproxy", "keepalived")}
    assert found(BALANCER, machine=without) == ["m1: haproxy, keepalived not installed"]
    assert found(BALANCER, machine=without, units=units) == []
    assert found(replace(BALANCER, packages_are_local=True), machine=without) == []


@pytest.mark.parametrize(
    ("started", "finished", "wrong"),
    [
        (100, 102, False),
        (98.5, 99, False),  # within the tolerance
        (90, 91, True),
        (120, 121, True),
        (100, 108, True),  # it answered after all had answered
    ],
)
def test_clocks_may_differ_by_what_the_window_cannot_tell(started, finished, wrong):
    assert found(started_at=started, finished_at=finished) == (["m1: its clock is off"] if wrong else [])


def test_the_direction_of_a_wrong_clock_is_said():
    [late] = problems({"m1": MASTER}, {"m1": samples.report(started_at=40, finished_at=41)}, WINDOW, "amd64")
    assert late.why == "at least 60 s behind this machine's"


def test_an_address_that_no_interface_has():
    assert found(addresses={"eth0": ["10.0.0.99"]}) == ["m1: no interface has 10.0.0.21"]


@pytest.mark.parametrize(
    ("listening", "taken"),
    [({"6443": "nginx"}, True), ({"2379": ""}, True), ({"2379": "etcd", "80": "nginx"}, False)],
)
def test_ports_may_be_taken_only_by_whom_they_are_for(listening, taken):
    assert bool(found(listening=listening)) is taken


def answered(**held):
    """Two load balancers; each says whether it holds the endpoint's address and whether somebody else answers."""
    reports = {
        name: samples.report(balancer={"holds_endpoint": holds, "endpoint_answers": answers, "servers": None})
        for name, (holds, answers) in held.items()
    }
    expected = dict.fromkeys(("lb1", "lb2"), BALANCER)
    return [problem.what for problem in problems(expected, reports, WINDOW, "amd64")]


def test_a_stranger_at_the_endpoint():
    stranger = ["the endpoint 10.0.0.10:6443 is answered by a stranger"]
    assert answered(lb1=(False, True), lb2=(False, True)) == stranger
    assert answered(lb1=(False, False), lb2=(False, True)) == stranger


def test_our_own_load_balancer_at_the_endpoint_is_no_stranger():
    assert answered(lb1=(True, False), lb2=(False, True)) == []
    assert answered(lb2=(False, True)) == []  # lb1, which did not answer us, may hold it
    assert answered(lb1=(False, False), lb2=(False, False)) == []


def test_each_role_brings_its_ports():
    together = ports_of(("master", "etcd", "load-balancer"), apiserver_port=6443, endpoint_port=8443)
    assert set(together) == {6443, 8443, 2379, 2380, 10250, 10257, 10259}
    assert ports_of(("master",), apiserver_port=6443, endpoint_port=8443)[2379] == "haproxy"
    assert ports_of(("worker",), apiserver_port=6443, endpoint_port=8443) == {10250: "kubelet"}
