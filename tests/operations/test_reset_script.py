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
