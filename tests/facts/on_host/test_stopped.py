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
    assert stopped.stopped_processes() == [{"program": "haproxy", "process": sleeper, "frozen": ""}]
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


def group(directory, **files):
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_a_process_that_was_frozen_with_all_of_a_group_above_it(version, frozen, sleeper, tmp_path, monkeypatch):
    """`echo 1 > /sys/fs/cgroup/kubepods.slice/cgroup.freeze`: a process of it looks as if it slept."""
    path = f"/kubepods/pod1/{CONTAINER}"
    (tmp_path / "proc" / str(sleeper)).mkdir(parents=True)
    lines = f"6:freezer:{path}\n0::/\n" if version == 1 else f"0::{path}\n"
    (tmp_path / "proc" / str(sleeper) / "cgroup").write_text(lines)
    base = tmp_path / "groups" / ("freezer" if version == 1 else "")
    for place, own in ((base / "kubepods", frozen), (base / "kubepods/pod1", False), (base / path[1:], False)):
        if version == 1:
            state = "FROZEN" if frozen else "THAWED"
            group(place, freezer__state=f"{state}\n", freezer__self_freezing=f"{int(own)}\n")
        else:
            group(place, cgroup__events=f"populated 1\nfrozen {int(frozen)}\n", cgroup__freeze=f"{int(own)}\n")
    monkeypatch.setattr(stopped, "PROC", str(tmp_path / "proc"))
    monkeypatch.setattr(stopped, "CGROUPS", str(tmp_path / "groups"))
    monkeypatch.setattr(stopped, "container_annotations", lambda bundle: SYSTEM)
    file = f"{base}/kubepods/{'freezer.state' if version == 1 else 'cgroup.freeze'}"
    expected = [{"program": "kube-scheduler", "process": sleeper, "frozen": file}] if frozen else []
    assert stopped.stopped_processes() == expected
