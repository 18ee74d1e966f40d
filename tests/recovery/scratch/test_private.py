"""Plain data on this machine: ours alone, in memory where it fits, gone whatever ends the run."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from haplane.errors import HaplaneError
from haplane.recovery.scratch import private
from haplane.recovery.scratch.private import fits_into_memory, private_space
from haplane.waiting import wait_until

ENDLESS = """
import sys, time, tempfile
from pathlib import Path
from haplane.recovery.scratch import private
tempfile.tempdir = sys.argv[1]
private.MEMORY = Path(sys.argv[2])
private.MEMORY_RESERVE = 0
with private.private_space() as space:
    for directory in (space.new("disk"), space.new("memory", 1)):
        (directory / "snapshot.db").write_bytes(b"plain")
    print("written", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The directories for temporary files and for memory, the latter with room."""
    disk, memory = tmp_path / "tmp", tmp_path / "shm"
    for each in (disk, memory):
        each.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr(private, "MEMORY", memory)
    monkeypatch.setattr(private, "MEMORY_RESERVE", 0)
    return disk, memory


def files(*places):
    return [path.name for place in places for path in place.rglob("*") if path.is_file() and path.name != ".lock"]


def test_what_fits_is_in_memory_and_everything_is_private_and_gone_afterwards(places):
    disk, memory = places
    with private_space() as space:
        large, small, unknown = space.new("db", 1 << 60), space.new("db", 1), space.new("db")
        assert large.is_relative_to(disk)
        assert small.is_relative_to(memory)
        assert unknown.is_relative_to(disk)
        for directory in (large, *large.parents[:2], small, *small.parents[:2]):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (small / "snapshot.db").write_bytes(b"plain")
    assert files(disk, memory) == []
    assert list(disk.glob("*/run-*")) == list(memory.glob("*/run-*")) == []


def started(places):
    running = subprocess.Popen([sys.executable, "-c", ENDLESS, *map(str, places)], stdout=subprocess.PIPE)
    with running.stdout:
        assert running.stdout.readline() == b"written\n"
    return running


def test_what_a_killed_run_left_is_gone_at_the_next_start_and_nothing_of_a_running_one(places):
    killed, running = started(places), started(places)
    try:
        assert len(files(*places)) == 4
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(files(*places)) == 4
        for place in places:
            (place / "haplane-of-mine").mkdir()
            (place / "haplane-of-mine" / "precious").touch()
            (place / f"haplane-{os.geteuid()}" / "notes").touch()
        with private_space():
            assert sorted(files(*places)) == ["notes"] * 2 + ["precious"] * 2 + ["snapshot.db"] * 2
    finally:
        running.kill()
        running.wait()


def link(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "run-x").mkdir()
    root.symlink_to(tmp_path / "elsewhere")


def open_to_all(root, _):
    (root / "run-x").mkdir(parents=True)
    root.chmod(0o777)


def somebody_elses(root, _):
    (root / "run-x").mkdir(parents=True)
    root.chmod(0o700)
    os.chown(root, 12345, 12345)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("spoil", [link, open_to_all, somebody_elses])
def test_a_directory_that_somebody_else_made_is_neither_used_nor_swept(places, tmp_path, spoil):
    root = places[0] / f"haplane-{os.geteuid()}"
    spoil(root, tmp_path)
    with private_space() as space, pytest.raises(HaplaneError, match="belongs to somebody else"):
        space.new("db")
    assert (root / "run-x").is_dir()


def test_memory_is_left_to_others(monkeypatch):
    monkeypatch.setattr(private, "MEMORY", Path("/nonexistent"))
    assert not fits_into_memory(1)


PARENT = """
import subprocess, sys, time
from haplane.recovery.scratch.tools import dies_with_us
child = subprocess.Popen(dies_with_us(["sleep", "600"]))
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_scratch_server_does_not_outlive_a_killed_run():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{child}/stat").exists() or zombie(child), 10, "the child is gone")


def zombie(process):
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
