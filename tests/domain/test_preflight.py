from dataclasses import replace

import pytest
import samples

from haplane.domain.clocks import Window
from haplane.domain.preflight import Expectations, Needs, ports_of, problems
from haplane.platforms import PLATFORMS

NEEDS = Needs("amd64", "1.35.4", PLATFORMS)
WINDOW = Window(asked_at=100, answered_at=102)
MASTER = Expectations(
    address="10.0.0.21",
    is_node=True,
    is_balancer=False,
    tolerates_cgroups_v1=False,
    ports={6443: "kube-apiserver", 2379: "etcd"},
    endpoint="10.0.0.10:6443",
)
BALANCER = replace(MASTER, is_node=False, is_balancer=True, ports={})
MACHINE = samples.document()["machine"]


def found(expected=MASTER, window=WINDOW, needs=NEEDS, **changes):
    problem = problems({"m1": expected}, {"m1": samples.report(**changes)}, window, needs)
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
        ({"init": "runit"}, "it was not booted with systemd"),
        ({"missing_commands": ["zstd", "tar"]}, "zstd tar not installed"),
        ({"memory_bytes": 1 << 30}, "too little memory"),
        ({"swap_bytes": 1 << 20}, "swap is on"),
        ({"disk_free_bytes": 1 << 30, "disk": "/var/lib/containerd"}, "the disk is too full"),
        ({"disk_free_bytes": 40 << 30, "disk_bytes": 250 << 30}, "the disk is too full"),
        ({"os_version": "10"}, "its operating system is too old"),
        ({"os_id": "ubuntu", "os_version": "20.04"}, "its operating system is too old"),
    ],
)
def test_what_a_machine_lacks(change, words):
    assert found(machine=MACHINE | change) == [f"m1: {words}"]


def test_a_directory_of_programs_that_is_mounted_noexec():
    surroundings = {"no_exec": ["/var/lib/containerd"]}
    assert found(surroundings=surroundings) == ["m1: no program may run from /var/lib/containerd"]
    assert found(replace(MASTER, is_node=False), surroundings=surroundings) == []


@pytest.mark.parametrize(("python", "fit"), [("3.10.12", False), ("3.11.2", True), ("3.13.0", True), ("", True)])
def test_the_snapshot_agent_needs_a_newer_python_than_the_rest(python, fit):
    machine = MACHINE | {"python": python}
    expected = [] if fit else ["m1: its Python is too old"]
    assert found(replace(MASTER, takes_snapshots=True), machine=machine) == expected
    assert found(machine=machine) == []


@pytest.mark.parametrize(
    ("name", "version", "refused"),
    [
        ("debian", "11", None),
        ("debian", "", None),
        ("ubuntu", "22.04", None),
        ("rocky", "9.4", "it is rocky 9.4"),
        ("", "", "it is unknown: /etc/os-release names none"),
    ],
)
def test_a_distribution_that_is_not_supported_is_refused_by_name_with_those_that_are(name, version, refused):
    reports = {"m1": samples.report(machine=MACHINE | {"os_id": name, "os_version": version})}
    said = [(problem.why, problem.next_step) for problem in problems({"m1": MASTER}, reports, WINDOW, NEEDS)]
    assert said == ([(refused, "use Debian 11 or Ubuntu 22.04, or newer")] if refused else [])


def test_what_could_not_be_looked_at_is_not_taken_for_absent():
    assert found(failed={"etcd": "TypeError()"}) == ["m1: its etcd cannot be inspected"]


def test_a_second_manifest_of_a_component_is_named_before_anything_is_done():
    path = "/etc/kubernetes/manifests/kube-apiserver.yaml.bak"
    words = [f"m1: {path} defines another kube-apiserver"]
    assert found(components={"of": {}, "conflicts": {path: "kube-apiserver"}}) == words


def test_a_program_that_is_not_there_is_named_with_the_way_out():
    report = samples.report(failed={"etcd": "it could not be run"}, lacks={"etcd": "etcdctl"})
    (problem,) = problems({"m1": MASTER}, {"m1": report}, WINDOW, NEEDS)
    assert problem.next_step == "copy /usr/local/bin/etcdctl there from another host, and run again"


def test_a_program_that_the_bundle_brings_is_pushed_again_unless_every_member_would_be_unknown():
    """`rm /usr/local/bin/etcdctl`: `up` refused to go on without what it would have pushed."""
    there = {"/usr/local/bin/kubelet": samples.SHA256}
    failed = {
        "etcd": "etcdctl could not be run: Permission denied",
        "images": "ctr could not be run: not found in PATH",
    }
    lost = samples.report(failed=failed, lacks={"etcd": "etcdctl", "images": "ctr"}, bundle=there)
    member = samples.report("m2", "10.0.0.22", etcd=samples.document()["etcd"] | {"bootstrapped": True})
    expected = {"m1": MASTER, "m2": replace(MASTER, address="10.0.0.22")}
    assert problems(expected, {"m1": lost, "m2": member}, WINDOW, NEEDS) == []
    (problem,) = problems({"m1": MASTER}, {"m1": lost}, WINDOW, NEEDS)
    assert problem.what == "m1: its etcd cannot be inspected"


def test_a_program_of_the_distribution_is_installed_and_not_copied():
    report = samples.report(failed={"listening": "it could not be run"}, lacks={"listening": "ss"})
    (problem,) = problems({"m1": MASTER}, {"m1": report}, WINDOW, NEEDS)
    assert problem.next_step == "install it: `apt-get install iproute2`"


def test_addresses_that_could_not_be_looked_at_are_not_wrong():
    late = {"addresses": "ip did not end within 5 s"}
    assert found(failed=late, addresses={}) == ["m1: its addresses cannot be inspected"]


def test_all_of_all_hosts_is_said_at_once():
    poor = MACHINE | {"user_id": 1000, "init": "runit", "memory_bytes": 0, "swap_bytes": 1}
    reports = {name: samples.report(machine=poor, addresses={}, listening={"6443": "nginx"}) for name in ("m1", "m2")}
    every = problems({"m1": MASTER, "m2": MASTER}, reports, Window(0, 1), replace(NEEDS, architecture="arm64"))
    assert len(every) == 2 * 8


def test_a_load_balancer_needs_no_memory_for_kubernetes_and_may_swap():
    assert found(BALANCER, machine=MACHINE | {"memory_bytes": 1 << 28, "swap_bytes": 1}) == []


def test_a_share_that_kubelets_do_not_evict_by_is_no_problem():
    nearly_full = MACHINE | {"disk_free_bytes": 40 << 30, "disk_bytes": 250 << 30}
    assert found(replace(MASTER, evicts_by_default=False), machine=nearly_full) == []
    assert found(machine=MACHINE | {"disk_free_bytes": 42 << 30, "disk_bytes": 250 << 30}) == []


def test_a_full_disk_is_the_clusters_own_once_it_lives_there():
    etcd = samples.document()["etcd"] | {"has_data": True}
    assert found(machine=MACHINE | {"disk_free_bytes": 0}, etcd=etcd) == []


def test_what_is_missing_is_named_by_the_package_that_brings_it():
    report = samples.report(machine=MACHINE | {"missing_commands": ["zstd", "ip"]})
    (problem,) = problems({"m1": MASTER}, {"m1": report}, WINDOW, NEEDS)
    assert problem.next_step == "install them: `apt-get install zstd iproute2`"


def test_older_kubelets_start_on_cgroups_v1():
    assert found(machine=MACHINE | {"cgroups": "v1"}, needs=replace(NEEDS, kubernetes_version="1.34.9")) == []


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
    [late] = problems({"m1": MASTER}, {"m1": samples.report(started_at=40, finished_at=41)}, WINDOW, NEEDS)
    assert late.why == "at least 60 s behind the controller's"


def test_where_all_clocks_are_off_alike_it_is_the_controllers_that_is_to_be_corrected():
    """An operator whose own clock was wrong was told to change the clocks of all hosts."""
    reports = {
        "m1": samples.report(started_at=40, finished_at=41),
        "m2": samples.report(started_at=39, finished_at=40),
    }
    found = problems(dict.fromkeys(reports, MASTER), reports, WINDOW, NEEDS)
    clocks = [each for each in found if "clock" in each.what]
    assert {each.what for each in clocks} == {
        "m1: its clock and the controller's differ",
        "m2: its clock and the controller's differ",
    }
    assert {each.next_step for each in clocks} == {"start a time service here: `systemctl restart chrony`"}
    assert clocks[0].why == "at least 60 s behind the controller's, as all hosts' are"
    reports["m2"] = samples.report(started_at=120, finished_at=121)
    assert "m1: its clock is off" in {
        each.what for each in problems(dict.fromkeys(reports, MASTER), reports, WINDOW, NEEDS)
    }


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
    return [problem.what for problem in problems(expected, reports, WINDOW, NEEDS)]


def test_an_endpoint_that_nobody_could_ping_is_not_free():
    """ping is not installed: the address of a printer passed as unused."""
    why = "it could not be run"

    def pinged(**unknown):
        state = {"holds_endpoint": False, "endpoint_answers": False, "servers": None, "endpoint_lacks": "ping"}
        reports = {name: samples.report(balancer=state | {"endpoint_unknown": one}) for name, one in unknown.items()}
        return problems(dict.fromkeys(("lb1", "lb2"), BALANCER), reports, WINDOW, NEEDS)

    (problem,) = pinged(lb1=why, lb2=why)
    assert problem.what == "whether the endpoint 10.0.0.10:6443 is free could not be tested"
    assert problem.next_step == "install it: `apt-get install iputils-ping`"
    assert pinged(lb1=why, lb2="") == [], "the other one has looked"


def test_a_stranger_at_the_endpoint():
    stranger = ["the endpoint 10.0.0.10:6443 is already in use by a host that is not in this inventory"]
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
