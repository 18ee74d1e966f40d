"""Hosts that wear out: each kind with its figures and one command, and nothing of a host that is well."""

import pytest
import samples
from statuses import status_of

from haplane.domain import host_paths
from haplane.domain.status import passing_problems

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
UP = "`haplane up inventories/test.py`"
GIB = 1 << 30


def problems(name="m2", **condition):
    return status_of(INVENTORY, samples.altered(CONVERGED, name, condition=condition)).lines


def disk(**changes):
    return [{"path": "/var/log", "size": 100 * GIB, "free": 50 * GIB, "inodes": 1000, "inodes_free": 500} | changes]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"free": 3 * GIB}, None),
        ({"size": 10 * GIB, "free": GIB}, None),
        ({"size": 10 * GIB, "free": GIB // 4}, "nearly full (256 of 10240 MiB free); fix: on m2: `du -xh "),
        ({"free": GIB}, "nearly full (1024 of 102400 MiB free)"),
        ({"inodes_free": 10}, "nearly out of inodes (10 of 1000); fix: on m2: `du -x --inodes "),
        ({"inodes": 0, "inodes_free": 0}, None),
        ({"read_only": True}, "mounted read-only; fix: on m2: `dmesg"),
        ({"read_only": True, "path": "/"}, None),
    ],
)
def test_a_disk_is_named_before_it_is_full(changes, words):
    found = problems(filesystems=disk(**changes))
    assert len(found) == (1 if words else 0)
    assert all(one.startswith("m2: the file system of /var/log ") and words in one for one in found)


def test_a_tunnel_that_is_left_from_another_backend_carries_nothing():
    routed = samples.inventory(workers=1, flannel_backend="host-gw")
    seen = {"mtus": {"eth1": 1500, "flannel.1": 1450}, "pod_mtu": 1500}
    observation = samples.altered(samples.converged(routed), "w1", condition=seen)
    assert status_of(routed, observation).lines == ()


def test_a_file_system_that_was_mounted_noexec_is_named():
    observation = samples.altered(CONVERGED, "m2", surroundings={"no_exec": ["/usr/local/bin"]})
    (found,) = status_of(INVENTORY, observation).lines
    assert found == (
        "m2: no program may run from /usr/local/bin (its file system is mounted noexec); fix: on m2: `mount -o "
        "remount,exec $(findmnt -no TARGET -T /usr/local/bin)`, and take noexec out of /etc/fstab"
    )


def test_a_stopped_process_is_named_whose_kubelet_calls_its_pod_ready():
    (found,) = problems("w1", stopped=[{"program": "kube-proxy", "process": 4711}])
    assert found == (
        "w1: kube-proxy does nothing: its process 4711 is stopped (by SIGSTOP or a debugger); "
        "fix: on w1: `kill -CONT 4711`"
    )


def test_processes_of_one_program_are_one_line_and_so_is_what_does_not_answer_for_them():
    """`systemctl kill -s STOP haproxy`: four lines, three commands."""
    stopped = [{"program": "haproxy", "process": number} for number in (4711, 4712)]
    balancer = CONVERGED.reports["lb1"].balancer.model_dump() | {"servers": None}
    found = status_of(INVENTORY, samples.altered(CONVERGED, "lb1", condition={"stopped": stopped}, balancer=balancer))
    assert [one.partition(": ")[2] for one in found.lines] == [
        "haproxy does nothing: its processes 4711, 4712 are stopped (by SIGSTOP or a debugger); "
        "fix: on lb1: `kill -CONT 4711 4712`",
        "haproxy is not responding (it is stopped); fix: on lb1: `kill -CONT 4711 4712`",
    ]


def test_a_stopped_component_has_one_line():
    components = {"of": {"kube-scheduler": {"unhealthy": "timed out"}}}
    stopped = {"stopped": [{"program": "kube-scheduler", "process": 4711}]}
    observation = samples.altered(CONVERGED, "m2", components=components, condition=stopped)
    assert len([one for one in status_of(INVENTORY, observation).lines if "m2: kube-scheduler" in one]) == 1


def test_nobody_waits_for_a_disk():
    status = status_of(INVENTORY, samples.altered(CONVERGED, "m2", condition={"filesystems": disk(free=GIB)}))
    assert status.lines
    assert passing_problems(status, ()) == ()


def test_a_disk_that_cannot_be_looked_at_is_unknown_and_said():
    (found,) = problems("lb1", unread={"/var/log": "Input/output error"})
    assert found == "lb1: /var/log cannot be looked at (Input/output error); fix: on lb1: `dmesg | tail`"


def test_a_time_service_that_stopped_is_a_problem_and_a_clock_that_follows_none_a_note():
    (found,) = problems(stopped_time_services=["chrony"])
    assert found.startswith("m2: its time service chrony is not running (it is enabled but not running")
    assert found.endswith("fix: on m2: `systemctl restart chrony`")
    status = status_of(INVENTORY, samples.altered(CONVERGED, "m2", condition={"synchronised": False}))
    assert status.healthy
    assert status.notes[0].startswith("the clocks of m2 follow no time source")


@pytest.mark.parametrize(
    ("mtus", "pods", "lost"),
    [
        ({"eth1": 1500, "flannel.1": 1450}, 1450, False),
        ({"eth1": 1400, "flannel.1": 1450}, 1450, True),
        ({"eth1": 1500, "flannel.1": 1300}, 1450, True),
        ({"eth1": 1500}, 1500, False),
        ({"eth1": 1400}, 1500, True),
        ({"eth1": 1400}, 0, False),
        ({"eth0": 1400}, 1500, False),
    ],
)
def test_packets_of_pods_that_the_network_does_not_carry(mtus, pods, lost):
    """Pings pass, handshakes pass, and the first full packet hangs the connection."""
    found = problems("w1", mtus=mtus, pod_mtu=pods)
    assert [one.startswith("w1: large packets of its pods are lost") for one in found] == [True] * lost
    assert all(f"`ip link set dev eth1 mtu {pods + 50 * ('flannel.1' in mtus)}`" in one for one in found)


@pytest.mark.parametrize(
    ("name", "unit", "path"),
    [
        ("lb1", "haproxy", host_paths.HAPROXY_CFG),
        ("lb2", "keepalived", host_paths.KEEPALIVED_CONF),
        ("w1", "containerd", host_paths.CONTAINERD_CONFIG_TOML),
    ],
)
def test_a_configuration_that_was_never_read_is_named(name, unit, path):
    report = CONVERGED.reports[name].model_dump()
    report["files"][path] |= {"changed_at": 2000}
    for since, older in ((1000, True), (3000, False), (0, False)):
        report["units"][unit] |= {"since": since}
        found = status_of(
            INVENTORY, samples.altered(CONVERGED, name, files=report["files"], units=report["units"])
        ).lines
        line = (
            f"{name}: {unit} runs with an older configuration than {path} (the file changed after it was last read)"
        )
        assert found == ((f"{line}; fix: {UP}",) if older else ())


def test_a_disk_that_makes_etcd_wait_is_named():
    assert problems(slow_writes=[1.2] * 4) == ()
    (found,) = problems(slow_writes=[1.2, 1.1, 3.25, 1.0, 1.3])
    assert "etcd member m2: its disk is too slow (5 writes to its log took over 1 s" in found
    assert "the slowest 3.2 s" in found
    assert problems("w1", slow_writes=[9.0] * 9) == (), "no member"


def with_raft(**indices):
    observation = CONVERGED
    for name, (index, applied) in indices.items():
        etcd = observation.reports[name].etcd.model_dump(by_alias=True)
        etcd["status"] |= {"raftIndex": index, "raftAppliedIndex": applied}
        observation = samples.altered(observation, name, etcd=etcd)
    return status_of(INVENTORY, observation).lines


def test_a_member_that_lags_is_named_and_one_that_claims_too_much_costs_nobody():
    assert with_raft(m1=(90_000, 90_000), m2=(90_500, 90_400), m3=(89_000, 89_000)) == ()
    (far,) = with_raft(m1=(90_000, 90_000), m2=(90_500, 90_500), m3=(70_000, 70_000))
    assert far.startswith("etcd member m3: it lags behind (it is 20000 entries behind most members")
    (slow,) = with_raft(m1=(90_000, 90_000), m2=(90_500, 80_500), m3=(90_000, 90_000))
    assert slow.startswith("etcd member m2: it does not keep up (10000 entries wait")
    assert with_raft(m1=(90_000, 90_000), m2=(90_500, 90_500), m3=(1 << 50, 1 << 50)) == ()


@pytest.mark.parametrize(
    ("connections", "named"), [([], False), ([0, 0], False), ([200, 262144], False), ([262000, 262144], True)]
)
def test_a_table_of_connections_is_named_before_it_is_full(connections, named):
    found = problems(connections=connections)
    assert len(found) == named
    if named:
        assert found[0].startswith(
            "m2: its table of connections is nearly full: the kernel drops new ones (262000 of "
        )
        assert "fix: on m2: `sysctl -w net.netfilter.nf_conntrack_max=524000`" in found[0]


FROZEN = {
    "program": "keepalived",
    "process": 7,
    "frozen": "/sys/fs/cgroup/system.slice/keepalived.service/cgroup.freeze",
}
PODS = "/sys/fs/cgroup/kubepods.slice/cgroup.freeze"


def test_what_was_frozen_is_thawed_by_one_command_for_all_of_it():
    (found,) = problems(stopped=[FROZEN])
    assert found == (
        f"m2: keepalived does nothing: frozen by a control group ({FROZEN['frozen']}); fix: on m2: "
        f"`systemctl thaw keepalived.service; echo 0 > {FROZEN['frozen']}`"
    )
    pods = [{"program": name, "process": 8, "frozen": PODS} for name in ("kube-proxy", "flannel")]
    (found,) = problems(stopped=pods)
    assert found.startswith("m2: flannel, kube-proxy do nothing: frozen by a control group")
    assert found.endswith(f"on m2: `echo 0 > {PODS}`")
    (found,) = problems(stopped=[pods[0] | {"frozen": "/sys/fs/cgroup/freezer/kubepods/freezer.state"}])
    assert found.endswith("on m2: `echo THAWED > /sys/fs/cgroup/freezer/kubepods/freezer.state`")


@pytest.mark.parametrize(
    ("seen", "what", "fix"),
    [
        (
            {"tasks": [30000, 32768]},
            "m2: it has nearly no room for more processes (30000 of 32768 threads)",
            "ps -eLo",
        ),
        ({"files": [990, 1000]}, "m2: it can open nearly no more files (990 of 1000)", "sysctl -w fs.file-max=2000"),
        (
            {"watches": "fs.inotify.max_user_instances"},
            "m2: its programs can watch no more files: kubelets do not start, following logs ends "
            "(fs.inotify.max_user_instances is used up)",
            "sysctl -w fs.inotify.max_user_instances=8192",
        ),
    ],
)
def test_what_the_kernel_has_no_more_of_is_named_before_something_does_not_start(seen, what, fix):
    (found,) = problems(**seen)
    assert found.startswith(f"{what}; fix: on m2: `{fix}")
    assert problems(tasks=[500, 32768], files=[500, 1000], watches="") == ()


def test_name_servers_that_do_not_answer_are_a_note_for_in_a_network_of_its_own_that_is_meant():
    observation = samples.converged(INVENTORY)
    seen = {"name_servers": ["192.0.2.1", "192.0.2.2"], "silent_servers": ["192.0.2.1", "192.0.2.2"]}
    for name, found in (("m1", seen), ("m2", seen | {"silent_servers": ["192.0.2.1"]})):
        observation = samples.altered(observation, name, surroundings=found)
    status = status_of(INVENTORY, observation)
    assert status.healthy
    (note,) = status.notes
    assert note.startswith("no name server of m1 responds (192.0.2.1, 192.0.2.2): CoreDNS")


@pytest.mark.parametrize(
    ("memory", "named"),
    [((50 << 20, 8 * GIB), True), ((100 << 20, 8 * GIB), False), ((20 << 20, GIB // 2), False), ((), False)],
)
def test_memory_that_is_nearly_gone(memory, named):
    """Of a load balancer no kubelet reports it."""
    found = problems("lb1", memory=memory)
    assert len(found) == named
    assert all(
        one.startswith("lb1: it has nearly no memory left: the kernel kills programs (50 of 8192 MiB); fix: on lb1: ")
        for one in found
    )
