"""What programs of a bundle may do while they print, and what of it is kept: shell scripts in their place."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from haplane.bundle import program_help
from haplane.bundle.program_help import Question, helps, refusals
from haplane.errors import DeadlinePassed, HaplaneError


@pytest.fixture
def unpacked(monkeypatch, tmp_path):
    """Makes every program this script; a list of those that were unpacked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    manifest = SimpleNamespace(architecture=program_help.architecture(program_help.platform.machine()))
    monkeypatch.setattr(program_help, "load_manifest", lambda _: manifest)
    monkeypatch.setattr(program_help, "file_of", lambda *_: SimpleNamespace(sha256="0" * 64))
    names = []

    def are(script):
        def unpack(_, __, name, directory):
            names.append(name)
            (directory / name).write_text(f"#!/bin/sh\n{script}\n")
            (directory / name).chmod(0o755)
            return directory / name

        monkeypatch.setattr(program_help, "unpack_by_name", unpack)
        helps.cache_clear()
        return names

    yield are
    helps.cache_clear()


def test_a_program_sees_nothing_of_whoever_runs_it(unpacked, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    unpacked('env; echo "in $(pwd) of $HOME:" *')
    text = helps(Path("bundle"), ("kubelet",))["kubelet"]
    assert "s3cret" not in text
    names = {line.partition("=")[0] for line in text.splitlines() if "=" in line}
    assert names <= {"PATH", "HOME", "PWD", "OLDPWD", "_", "SHLVL"}
    where, home = text.splitlines()[-1].removeprefix("in ").removesuffix(": *").split(" of ")
    assert where == home != str(Path.cwd())
    assert not Path(where).exists()


def test_a_program_fills_no_disk(unpacked, tmp_path):
    unpacked(f"head -c 3000000 /dev/zero >{tmp_path}/filled; echo done")
    helps(Path("bundle"), ("kubelet",))
    assert (tmp_path / "filled").stat().st_size <= program_help.FILE_BYTES


@pytest.mark.parametrize("end", ["exit 2", "kill -9 $$"])
def test_the_help_of_a_program_that_failed_is_not_kept(unpacked, end):
    """Its flags looked unknown from then on, whatever it printed the next time."""
    unpacked(f"echo --some-flag; {end}")
    with pytest.raises(HaplaneError, match=r"kubelet --help failed"):
        helps(Path("bundle"), ("kubelet",))
    unpacked("echo --every-flag")
    assert helps(Path("bundle"), ("kubelet",)) == {"kubelet": "--every-flag\n"}


def test_each_program_is_unpacked_once_and_asked_once(unpacked, tmp_path):
    names = unpacked(f'echo "$*" >>{tmp_path}/asked; echo "unknown flag: ${{1%=}}" >&2; exit 1')
    questions = [Question("kubelet", f"--x{number % 3}=") for number in range(30)]
    assert set(refusals(Path("bundle"), questions).values()) == {f"unknown flag: --x{number}" for number in range(3)}
    assert names == ["kubelet"]
    assert len((tmp_path / "asked").read_text().splitlines()) == 3


def test_all_questions_together_have_a_deadline(unpacked, monkeypatch):
    unpacked("echo yes")
    monkeypatch.setattr(program_help, "ALL_SECONDS", -1)
    with pytest.raises(DeadlinePassed):
        refusals(Path("bundle"), [Question("kubelet", "--x=")])
