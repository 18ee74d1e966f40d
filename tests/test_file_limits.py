import subprocess

from haplane.file_limits import writing_at_most

SHELL = ("sh", "-c")


def test_a_file_that_a_child_writes_cannot_grow_past_its_bound(tmp_path):
    command = writing_at_most(1 << 20, [*SHELL, f"exec cat /dev/zero > {tmp_path}/file"])
    assert subprocess.run(command, check=False, timeout=20).returncode != 0
    assert (tmp_path / "file").stat().st_size == 1 << 20


def test_a_bounded_command_is_itself():
    done = subprocess.run(writing_at_most(0, ["printf", "%s.", "a b", "$HOME"]), capture_output=True, check=True)
    assert done.stdout == b"a b.$HOME."
