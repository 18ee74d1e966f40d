"""Scripts that start the lab's hosts, with programs that do what a test says."""

import subprocess

import pytest

from haplane.scripts import script


@pytest.fixture
def run(tmp_path):
    """Runs a script, with ``arguments``; programs are shell, and ``tmp_path/log`` has how they were called."""

    def started(text, *arguments, **programs):
        for name, body in programs.items():
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/log\n{body}\n')
            path.chmod(0o755)
        environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
        command = ["sh", "-c", text, "name", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    return started


def test_a_host_that_reboots_runs_again_although_an_old_cgroup_cannot_be_removed(run, tmp_path):
    boots = "echo >>boots; test $(wc -l <boots) -ge 3 || exit 133; exit 1"
    text = script("lab/run_host", ["host", "a b"], options="lowerdir=/x", root="/r", cgroup="lab/m1/machine")
    run(text, mount="", find="exit 1", host=boots)
    remove = "find /sys/fs/cgroup -path */lab/m1/machine/* -depth -type d -exec rmdir {} +"
    assert (tmp_path / "log").read_text().splitlines() == [
        "mount -t overlay overlay -o lowerdir=/x /r", "host a b", remove, "host a b", remove, "host a b",
    ]  # fmt: skip


def test_a_host_whose_disk_cannot_be_mounted_does_not_run(run, tmp_path):
    done = run(script("lab/run_host", ["host"], options="", root="/r", cgroup="x"), mount="exit 32", host="")
    assert done.returncode == 32
    assert "host" not in (tmp_path / "log").read_text().split()


def test_a_command_becomes_one_of_every_cgroup_before_it_begins(run, tmp_path):
    text = script("lab/enter_cgroup", procs=f"{tmp_path}/one {tmp_path}/two")
    done = run(text, "sh", "-c", 'echo "$$ $1"', "sh", "a  b")
    process = (tmp_path / "one").read_text()
    assert (tmp_path / "two").read_text() == process
    assert done.stdout == f"{process.strip()} a  b\n"


def test_a_command_that_cannot_enter_a_cgroup_does_not_begin(run, tmp_path):
    done = run(script("lab/enter_cgroup", procs=f"{tmp_path}/absent/procs {tmp_path}/two"), "touch", "begun")
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []
