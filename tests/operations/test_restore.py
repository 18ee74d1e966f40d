"""The scripts that replace data, run for real, with every step cut off once."""

import json
import os
import signal
import subprocess

import pytest

from haplane.operations.run import on_host
from haplane.scripts import script


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Old data, new data ready beside it; ``mv`` fails after so many times, as if the power had gone."""
    data, staging = tmp_path / "etcd", tmp_path / "etcd" / "restore-1"
    (data / "member").mkdir(parents=True)
    (data / "member" / "old").touch()
    (staging / "member").mkdir(parents=True)
    (staging / "member" / "new").touch()
    (staging / "ready").touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    left = tmp_path / "left"
    for name, body in {
        "systemctl": "exit 0",
        "mv": f'n=$(cat {left}); [ $n -gt 0 ] || exit 1; echo $((n - 1)) > {left}; exec /bin/mv "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def switch(renames: int = 99) -> int:
        left.write_text(str(renames))
        text = script("switch_data", data=str(data), staging=str(staging), previous=str(data / "aside-1"))
        return subprocess.run(["sh", "-c", text], check=False).returncode

    return data, switch


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_switch_that_is_cut_off_anywhere_is_completed_by_the_next(machine, renames):
    data, switch = machine
    assert (switch(renames) == 0) is (renames == 2)
    for _ in range(2):
        assert switch() == 0
        assert [file.name for file in (data / "member").iterdir()] == ["new"]
        assert [file.name for file in (data / "aside-1" / "member").iterdir()] == ["old"]


def test_nothing_is_moved_before_the_new_data_is_whole(machine):
    data, switch = machine
    (data / "restore-1" / "ready").unlink()
    assert switch() != 0
    assert (data / "member" / "old").exists()


def test_what_was_written_since_is_never_moved_away(machine):
    data, switch = machine
    assert switch() == 0
    (data / "member" / "written-since").touch()
    assert switch() == 0
    assert (data / "member" / "written-since").exists()


@pytest.fixture
def master(tmp_path, monkeypatch):
    """A master on which the control plane's processes are recorded, and a kube-apiserver of somebody else's."""
    programs, record, processes = tmp_path / "bin", tmp_path / "containerd", tmp_path / "proc"
    programs.mkdir()
    for name, code in (("systemctl", 0), ("ctr", 0)):
        (programs / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    manifest, aside = tmp_path / "manifest.yaml", tmp_path / "aside.yaml"
    manifest.touch()
    program = on_host("control_plane").replace("/run/containerd", str(record))
    program = program.replace('PROC = "/proc"', f'PROC = "{processes}"').replace(
        "ROOT = 0\n", f"ROOT = {os.getuid()}\n"
    )

    def begin(name, namespace):
        """A real process, that is in a container as far as this machine knows."""
        process = subprocess.Popen(["sleep", "100"])
        identifier = f"{process.pid:064x}"
        bundle = record / "io.containerd.runtime.v2.task/k8s.io" / identifier
        said = {"container-type": "container", "container-name": name, "sandbox-namespace": namespace}
        said["sandbox-name"] = f"{name}-m1"
        bundle.mkdir(parents=True)
        annotations = {f"io.kubernetes.cri.{key}": value for key, value in said.items()}
        (bundle / "config.json").write_text(json.dumps({"annotations": annotations}))
        (bundle / "init.pid").write_text(str(process.pid))
        (processes / str(process.pid)).mkdir(parents=True)
        (processes / str(process.pid) / "stat").symlink_to(f"/proc/{process.pid}/stat")
        (processes / str(process.pid) / "cgroup").write_text(f"0::/kubepods/pod1/{identifier}\n")
        return process

    def stop():
        text = script("stop_serving", manifest=str(manifest), moved=str(aside), control_plane_program=program)
        return subprocess.run(["sh", "-c", text], check=False, timeout=20).returncode

    return stop, begin, programs, manifest, aside


def test_the_control_plane_is_killed_and_nothing_else_and_its_manifest_waits(master):
    stop, begin, _, manifest, aside = master
    ours = [begin(name, "kube-system") for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")]
    others = [begin("kube-apiserver", "virtual"), begin("etcd", "kube-system")]
    try:
        for _ in range(2):
            assert stop() == 0
            assert (manifest.exists(), aside.exists()) == (False, True)
        assert [process.wait(5) for process in ours] == [-signal.SIGKILL] * 3
        assert [process.poll() for process in others] == [None, None]
    finally:
        for process in (*ours, *others):
            process.kill()
            process.wait()


def test_without_containerd_nobody_believes_that_everything_has_stopped(master):
    stop, _, programs, *_ = master
    (programs / "ctr").write_text("#!/bin/sh\nexit 1\n")
    assert stop() != 0
