"""Whether a unit runs what is on the disk."""

import os
import subprocess
import sys
import time

import pytest

from haplane.facts.units import LOOK as LOOK_AT_UNIT
from haplane.facts.units import UnitState


@pytest.fixture
def systemctl(tmp_path):
    """A systemctl that says the unit changed its state so many seconds after the start of the machine's clock."""

    def make(since_seconds: float) -> dict[str, str]:
        program = tmp_path / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(
            f"#!/bin/sh\necho ActiveState=active\necho StateChangeTimestampMonotonic={int(since_seconds * 1e6)}\n"
        )
        program.chmod(0o755)
        return {"PATH": f"{program.parent}:{os.environ['PATH']}"}

    return make


@pytest.mark.parametrize(("since_uptime", "outdated"), [(-3600, "yes"), (3600, "no")])
def test_a_file_newer_than_the_units_last_start_makes_it_outdated(tmp_path, systemctl, since_uptime, outdated):
    (tmp_path / "unit.conf").touch()
    now = time.monotonic()
    said = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            LOOK_AT_UNIT,
            "x.service",
            str(tmp_path / "unit.conf"),
            str(tmp_path / "missing"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env=systemctl(max(0, now + since_uptime)),
    )
    found = UnitState().process(said.stdout.splitlines())
    assert (found["ActiveState"], found["Outdated"]) == ("active", outdated)
