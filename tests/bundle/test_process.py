"""Programs of this machine: missing ones are all named at once, failing and hanging ones explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from haplane.bundle import process
from haplane.bundle.process import require, run
from haplane.bundle.programs import closure
from haplane.errors import BadInput, DeadlinePassed, HaplaneError, Problems
from haplane.waiting import wait_until


def test_everything_missing_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(process, "SYSTEM_DIRECTORIES", "/nonexistent")
    with pytest.raises(Problems) as caught:
        require(["go", "nft", "catatonit", "gcc"])
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert "go is missing" in text
    assert "the Debian package nftables" in text
    assert "the Debian package catatonit" in text
    assert "the Debian package gcc" in text


def test_a_missing_library_is_named() -> None:
    with pytest.raises(Problems, match="libnosuch is missing"):
        require([], ["libc", "libnosuch"])


def test_a_failure_ends_with_what_the_program_said() -> None:
    with pytest.raises(HaplaneError, match="trying failed .exit status 3.") as caught:
        run(["sh", "-c", "echo because >&2; exit 3"], what="trying")
    assert caught.value.why == "because"


def test_lines_come_as_they_are_written_and_stdout_is_returned() -> None:
    lines: list[str] = []
    assert run(["sh", "-c", "echo one >&2; echo two >&2; echo out"], what="saying", on_line=lines.append) == "out\n"
    assert lines == ["one", "two"]


def test_a_program_that_hangs_is_ended_with_its_children() -> None:
    with pytest.raises(DeadlinePassed, match="took longer than"):
        run(["sh", "-c", "sleep 60 & sleep 60"], what="waiting", deadline_seconds=0.2)


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(DeadlinePassed):
        run(["sh", "-c", f"sleep 60 & echo $! >{pid}; wait"], what="waiting", deadline_seconds=0.3)
    status = Path(f"/proc/{pid.read_text().strip()}/stat")
    wait_until(lambda: not status.exists() or status.read_text().split()[2] == "Z", 10, "what it started ends")


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_program_that_prints_without_end_is_stopped(where: str) -> None:
    with pytest.raises(HaplaneError, match=r"was stopped\n.*it sent more than"):
        run(["sh", "-c", f"yes {where}"], what="printing", deadline_seconds=60)


def test_an_absolute_path_is_a_file_as_it_is(tmp_path: Path) -> None:
    names = tmp_path / "protocols"
    with pytest.raises(BadInput, match="is missing on this machine"):
        closure(str(names), "/etc/protocols")
    names.write_text("tcp 6 TCP\n")
    assert closure(str(names), "/etc/protocols") == {"/etc/protocols": names}


def test_a_program_comes_with_the_libraries_it_needs() -> None:
    files = closure("ls", "/bin/ls")
    assert files["/bin/ls"].is_file()
    names = [path.rpartition("/")[2] for path in files]
    assert "libc.so.6" in names
    assert any(name.startswith("ld-linux") for name in names)
    assert all(path.is_file() for path in files.values())
