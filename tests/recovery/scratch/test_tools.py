"""Programs on untrusted data are bounded, and only their own failure is a defect of the data."""

from contextlib import ExitStack

import pytest

from haplane import file_limits
from haplane.errors import HaplaneError
from haplane.recovery.scratch import tools as tools_module
from haplane.recovery.scratch.private import PrivateSpace
from haplane.recovery.scratch.tools import ProgramFailed, Tools


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exec cat /dev/zero > {}/file", "exit"),
        ("exec cat /dev/zero", "it sent more than"),
        ("cat /dev/zero >&2", "it sent more than 1 MiB"),
    ],
    ids=["to a file", "to us", "as complaints"],
)
def test_what_restores_without_end_is_ended(tmp_path, monkeypatch, script, why):
    monkeypatch.setattr(file_limits, "SPARE_BYTES", 1 << 20)
    monkeypatch.setattr(tools_module, "OUTPUT_BYTES", 1 << 20)
    etcdutl = tmp_path / "etcdutl"
    etcdutl.write_text(f"#!/bin/sh\n{script.format(tmp_path)}\n")
    etcdutl.chmod(0o755)
    with pytest.raises(ProgramFailed, match="etcdutl snapshot failed") as refusal:
        Tools(tmp_path, PrivateSpace(ExitStack()), "3.6.16").run("etcdutl", "snapshot", "restore", given=1)
    assert why in refusal.value.why
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size <= 2 << 20


def test_an_etcdutl_that_is_not_there_is_no_damage(tmp_path):
    with pytest.raises(HaplaneError, match="cannot be run here") as failure:
        Tools(tmp_path, PrivateSpace(ExitStack()), "3.6.16").run("etcdutl", "snapshot", "restore", given=1)
    assert not isinstance(failure.value, ProgramFailed)
