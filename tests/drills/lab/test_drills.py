"""Drills on real masters: what they measure, and faults that end when haplane is killed in the middle of one."""

import json
import subprocess
import sys

import pytest

from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

FROZEN = "ps -o stat= -C etcd | grep -q T"
CUT = "nft list table inet haplane_drill >/dev/null 2>&1"


def killed_in_mid_fault(lab, drill):
    """`haplane drill` with SIGKILL as soon as its fault is applied; the host that it chose."""
    command = [sys.executable, "-m", "haplane", "drill", drill, lab.path, "--yes"]
    with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as one:
        said = []
        for line in one.stderr:
            said.append(line)
            if "fault applied" in line:
                host = line.split(":")[0].split()[-1]
                yield host
                one.kill()
                return
    raise AssertionError("".join(said))


@pytest.mark.parametrize(
    ("drill", "broken"),
    [("freeze-etcd-leader", FROZEN), pytest.param("cut-etcd-leader", CUT, marks=pytest.mark.soak)],
)
def test_a_fault_ends_by_itself_when_haplane_is_killed_in_the_middle_of_it(lab, drill, broken):
    for host in killed_in_mid_fault(lab, drill):
        wait_until(lambda host=host: lab.run(host, broken).returncode == 0, 15, f"{host} is broken", every=0.5)
    wait_until(lambda: lab.run(host, broken).returncode != 0, 20, f"the watchdog on {host} undid it", every=0.5)
    assert lab.run(host, "test -e /run/haplane-fault/undo").returncode != 0


@pytest.mark.soak
def test_a_host_without_power_gets_it_back_when_haplane_is_killed(lab):
    for name in killed_in_mid_fault(lab, "kill-master"):
        wait_until(lambda name=name: lab.run(name, "true").returncode != 0, 30, f"{name} is off")
    wait_until(lambda: lab.run(name, "true").returncode == 0, 60, f"{name} was powered on again")


def test_a_killed_watchdog_does_not_leave_its_fault_either(lab):
    for host in killed_in_mid_fault(lab, "freeze-follower"):
        wait_until(lambda host=host: lab.run(host, FROZEN).returncode == 0, 15, f"{host} is frozen", every=0.5)
        assert lab.run(host, "systemctl kill --signal=KILL haplane-fault").returncode == 0
        wait_until(lambda host=host: lab.run(host, FROZEN).returncode != 0, 20, "systemd undid it", every=0.5)


@pytest.mark.soak
@pytest.mark.parametrize(
    "drill",
    [
        "kill-apiserver", "freeze-etcd-leader", "freeze-follower", "freeze-haproxy", "cut-load-balancer",
        "cut-etcd-leader", "one-way-cut",
        "lossy-network", "split-vrrp", "disk-full-etcd", "etcd-quota", "rolling-restart", "power-cycle-everything",
        "replace-master", "lose-quorum-and-restore", "lose-everything-and-restore", "container-fails", "reboot-node",
        "dead-node-pods", "dead-node-pods-back",
    ],
)  # fmt: skip
def test_every_drill_holds_its_limits(lab, tmp_path, drill):
    report = lab.drill(drill, "--report", str(tmp_path))
    assert report["passed"], json.dumps(report["figures"], indent=1)
    assert (tmp_path / f"{drill}-1.html").stat().st_size < 1 << 20


def test_what_cannot_be_made_here_is_refused_with_its_reason(lab):
    said = lab.fails("drill", "slow-network", lab.path, "--yes", code=4)
    assert "packets cannot be delayed here" in said
    assert "has no netem" in said
