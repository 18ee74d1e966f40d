"""What `reset` does on a host with the directory of snapshots."""

import subprocess

import pytest

from haplane.scripts import DIRECTORY


def kept(directory):
    """What the lines of the script that are about that directory move aside."""
    text = (DIRECTORY / "reset.sh").read_text()
    start = text.index("# A directory that holds anything else")
    lines = text[start : text.index("\nfor file in", start)]
    script = f'snapshots=$1; keep() {{ echo "$1"; }}\n{lines}'
    done = subprocess.run(["sh", "-c", script, "sh", str(directory)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_snapshots_are_moved(tmp_path):
    for name in ("20261122T184500Z-m2-r1", ".work", "lost+found"):
        (tmp_path / name).mkdir()
    for name in (".lock", ".upload.json"):
        (tmp_path / name).touch()
    assert kept(tmp_path) == str(tmp_path)
    assert kept(tmp_path / "absent") == str(tmp_path / "absent")


@pytest.mark.parametrize("name", ["bash", ".profile", "20261122T184500Z-notes"])
def test_a_directory_that_holds_anything_else_stays(tmp_path, name):
    (tmp_path / "20261122T184500Z-m2-r1").mkdir()
    (tmp_path / name).touch()
    assert kept(tmp_path) == ""


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("system.slice/kubelet.service", True),
        ("systemd/system.slice/containerd.service", True),
        ("kubepods.slice/kubepods-besteffort.slice", True),
        ("memory/kubepods/besteffort", True),
        ("user.slice/user-1000.slice/user@1000.service/app.slice/kubelet.service", False),
        ("system.slice/ssh.service", False),
    ],
)
def test_what_is_left_is_known_by_its_control_group_and_not_by_a_name(tmp_path, group, said):
    """A process of root's that was called kubelet, in a container of somebody's, made `reset` end with a failure."""
    text = (DIRECTORY / "reset.sh").read_text()
    (tmp_path / group).mkdir(parents=True)
    (tmp_path / group / "cgroup.procs").write_text("4711\n")
    (tmp_path / "system.slice" / "etcd.service").mkdir(parents=True)
    (tmp_path / "system.slice" / "etcd.service" / "cgroup.procs").touch()
    script = f"set +e; left=0; CGROUPS={tmp_path}; {text[text.index('# What an operator would') :]}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, "still running" in done.stderr) == (int(said), said), done.stderr
