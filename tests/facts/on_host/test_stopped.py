"""Stopped processes of this machine, and which of them are the cluster's by their control group."""

import os
import signal
import subprocess
import sys

import pytest

from haplane.facts.on_host import stopped
from haplane.waiting import wait_until

CONTAINER = "ab" * 32
SYSTEM = {"io.kubernetes.cri.sandbox-namespace": "kube-system", "io.kubernetes.cri.container-name": "kube-scheduler"}
USERS_OWN = "0::/user.slice/user-1000.slice/user@1000.service"
TENANT = {"io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.container-name": "etcd"}


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process.pid
        process.kill()


def test_a_process_is_found_while_it_is_stopped_alone(sleeper, monkeypatch):
    monkeypatch.setattr(stopped, "owner_of", lambda process: "haproxy" if process == sleeper else "")
    assert stopped.stopped_processes() == []
    os.kill(sleeper, signal.SIGSTOP)
    wait_until(lambda: stopped.state_of(sleeper) == "T", 5, "it is stopped")
    assert stopped.stopped_processes() == [{"program": "haproxy", "process": sleeper}]
    os.kill(sleeper, signal.SIGCONT)
    wait_until(lambda: stopped.stopped_processes() == [], 5, "it goes on")


@pytest.mark.parametrize(
    ("group", "notes", "owner"),
    [
        ("12:cpu:/system.slice/kubelet.service\n0::/", {}, "kubelet"),
        ("0::/system.slice/etcd.service\n", {}, "etcd"),
        ("0::/system.slice/mine-etcd.service\n", {}, ""),
        (f"0::/kubepods/burstable/pod1/{CONTAINER}\n", SYSTEM, "kube-scheduler"),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{CONTAINER}.scope\n", SYSTEM, "kube-scheduler"),
        (f"0::/kubepods/pod1/{CONTAINER}\n", TENANT, ""),
        ("0::/lxc/m1/system.slice/etcd.service/inner\n", {}, "etcd"),
        ("0::/user.slice/session-1.scope\n", {}, ""),
        (f"{USERS_OWN}/app.slice/etcd.service\n", {}, ""),
        (f"{USERS_OWN}/system.slice/etcd.service\n", {}, ""),
        (f"{USERS_OWN}/app.slice/{CONTAINER}\n", SYSTEM, ""),
    ],
)
def test_whose_it_is(group, notes, owner, tmp_path, monkeypatch):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(group)
    monkeypatch.setattr(stopped, "PROC", str(tmp_path))
    monkeypatch.setattr(stopped, "container_annotations", lambda bundle: notes if bundle.endswith(CONTAINER) else {})
    assert stopped.owner_of(7) == owner


def test_one_that_has_gone_is_nobodys(tmp_path, monkeypatch):
    monkeypatch.setattr(stopped, "PROC", str(tmp_path))
    assert (stopped.state_of(7), stopped.owner_of(7)) == ("", "")
