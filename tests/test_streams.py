"""Children that write without end, fail, hang or leave something behind."""

import resource
import subprocess
import time

import pytest

from haplane import streams
from haplane.streams import (
    STDERR_BYTES,
    TAIL_BYTES,
    Tail,
    capture,
    last_line,
    save,
    stream,
    tail_of,
)

SHELL = ("sh", "-c")
FLOOD = "head -c 300000000 /dev/zero | tr '\\0' x"


def peak_mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def test_a_process_is_asked():
    said = capture([*SHELL, "cat; echo oh >&2; exit 3"], b"\xff" * 300_000, deadline_seconds=20)
    assert (said.code, said.stdout, said.stderr, said.cut) == (3, b"\xff" * 300_000, b"oh\n", None)


def test_a_process_that_reads_nothing_is_no_error():
    assert capture(["true"], b"x" * 300_000, deadline_seconds=20).code == 0


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_process_without_end_is_ended(where):
    said = capture([*SHELL, f"yes {where}"], b"", deadline_seconds=60, most=1 << 20)
    assert said.cut == "it sent more than 1 MiB"
    assert len(said.stdout) <= 1 << 20
    assert len(said.stderr) <= TAIL_BYTES


def test_a_process_that_hangs_meets_its_deadline():
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        capture(["sleep", "60"], b"", deadline_seconds=0.3)
    assert time.monotonic() - began < 20


def test_of_what_it_complains_the_end_is_kept():
    said = capture(
        [*SHELL, "head -c 500000 /dev/zero; head -c 500000 /dev/zero >&2; echo >&2; echo why >&2; exit 1"],
        b"",
        deadline_seconds=20,
    )
    assert len(said.stderr) == TAIL_BYTES
    assert last_line(said.stderr) == "why"


def test_nothing_past_the_bound_is_taken():
    taken = bytearray()
    said = stream([*SHELL, "exec cat /dev/zero"], taken.extend, deadline_seconds=20, most=100_000)
    assert said.cut == "it sent more than 100000 bytes"
    assert len(taken) <= 100_000


def test_what_is_saved_is_ours_alone(tmp_path):
    script = "echo Welcome; echo haplane begins here; printf database"
    said = save([*SHELL, script], tmp_path / "db", deadline_seconds=20, most=100)
    assert (said.code, said.cut) == (0, None)
    assert (tmp_path / "db").read_bytes() == b"database"
    assert (tmp_path / "db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("most", "fits"), [(8, True), (7, False)])
def test_a_greeting_is_not_of_the_bytes_that_an_answer_may_have(tmp_path, most, fits):
    script = "echo Welcome to this host; echo haplane begins here; printf database"
    saved = save([*SHELL, script], tmp_path / "db", deadline_seconds=20, most=most)
    held = capture([*SHELL, script], b"", deadline_seconds=20, most=most, marked=True)
    assert saved.cut == held.cut == (None if fits else "it sent more than 7 bytes")
    assert (tmp_path / "db").exists() is fits


@pytest.mark.parametrize("script", ["exec cat /dev/zero", "printf some; exit 1", "echo a greeting alone"])
def test_what_was_not_saved_whole_is_gone(tmp_path, script):
    save([*SHELL, script], tmp_path / "db", deadline_seconds=20, most=1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_saved_over_what_is_there(tmp_path):
    (tmp_path / "db").symlink_to("/etc/passwd")
    with pytest.raises(FileExistsError):
        save(["true"], tmp_path / "db", deadline_seconds=20, most=8)


def test_a_flood_of_complaints_ends_its_writer_and_is_not_held():
    """300 MiB were a file of that size, then 900 MiB of memory and a message of 300 million characters."""
    before = peak_mebibytes()
    process = subprocess.Popen([*SHELL, f"({FLOOD}) >&2; exec sleep 60"], stderr=subprocess.PIPE)
    tail = Tail(process)
    assert process.wait(20) != 0
    assert len(tail.read()) == TAIL_BYTES
    assert len(last_line(tail.read())) <= streams.MESSAGE_CHARACTERS
    assert peak_mebibytes() - before < 64


def test_complaints_are_read_while_the_process_lives():
    process = subprocess.Popen([*SHELL, f"head -c {STDERR_BYTES - 100} /dev/zero >&2; echo end >&2"], stderr=-1)
    tail = Tail(process)
    assert process.wait(20) == 0
    assert tail.read().endswith(b"end\n")


def test_of_a_file_the_end_is_read(tmp_path):
    (tmp_path / "log").write_bytes(b"x" * 100_000 + b"end")
    assert len(tail_of(tmp_path / "log")) == TAIL_BYTES
    (tmp_path / "log").write_bytes(b"end")
    assert tail_of(tmp_path / "log") == b"end"


@pytest.mark.parametrize(("text", "line"), [(b"", ""), (b"a\n b \n\n", "b"), ("x" * 400, "x" * 297 + "...")])
def test_the_last_line(text, line):
    assert last_line(text) == line
