import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import samples
from fake_hosts import fact
from pyinfra.api.exceptions import FactProcessError

from haplane.desired.hosts import request_for
from haplane.domain.observed import HostReport, parse_report
from haplane.facts import host_report
from haplane.facts.files import LOOK as LOOK_AT_FILES
from haplane.facts.files import FileStates
from haplane.facts.host_report import HostReportFact
from haplane.facts.paths import ExistingPaths
from haplane.facts.units import LOOK as LOOK_AT_UNIT
from haplane.facts.units import UnitState

OBSERVER = Path(host_report.__file__).parent / "on_host" / "observe.py"
PEM = samples.identity().etcd.certificate.decode()
KEY = samples.identity().etcd.private_key.decode()
REQUEST = request_for(samples.inventory(), samples.manifest())


def observe(**changes):
    """The observer as a host runs it: a plain Python, isolated from this project."""
    argv = ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", sys.executable, "-I", "-S", "-c"]
    done = subprocess.run(
        [*argv, OBSERVER.read_text(), json.dumps(REQUEST | changes)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return parse_report("here", done.stdout)


def test_a_machine_with_nothing_of_haplane_can_be_observed(tmp_path):
    missing = str(tmp_path / "missing")
    present = tmp_path / "file"
    present.write_text("content")
    present.chmod(0o640)
    report = observe(files=[missing, str(present), str(tmp_path)], bundle=[missing, str(present)], certificates=[])
    assert report.machine.user_id == os.geteuid()
    assert report.machine.memory_bytes > 0
    assert report.finished_at >= report.started_at
    assert report.interface_of("127.0.0.1") == "lo"
    assert set(report.files) == set(report.bundle) == {str(present)}
    assert (report.files[str(present)].mode, report.files[str(present)].sha256) == (
        0o640,
        report.bundle[str(present)],
    )
    assert abs(report.files[str(present)].changed_at - report.started_at) < 60


def test_certificates_are_found_by_pattern(tmp_path):
    (tmp_path / "a.crt").write_text(PEM)
    (tmp_path / "a.key").write_text(KEY)
    assert observe(certificates=[f"{tmp_path}/*.crt"]).certificates == {f"{tmp_path}/a.crt": PEM}


def test_of_files_with_keys_only_certificates_are_told(tmp_path):
    (tmp_path / "kubelet.pem").write_text(PEM + KEY)
    embedded = {name: base64.b64encode(text.encode()).decode() for name, text in (("certificate", PEM), ("key", KEY))}
    lines = [f"    client-{name}-data: {data}\n" for name, data in embedded.items()]
    (tmp_path / "admin.conf").write_text("users:\n- user:\n" + "".join(lines))
    told = observe(certificates=[f"{tmp_path}/*"]).certificates
    assert told == {f"{tmp_path}/kubelet.pem": PEM, f"{tmp_path}/admin.conf": PEM}


def test_a_report_is_read_from_the_last_line(tmp_path):
    text = json.dumps(samples.document())
    assert isinstance(fact(HostReportFact, ["a login banner", text], request={}), HostReport)


@pytest.mark.parametrize("said", [["not a report"], ["{}"], ["[1, 2]"]])
def test_an_answer_that_cannot_be_read_is_pyinfras_own_error(said):
    """Any other exception would end the run for every host."""
    with pytest.raises(FactProcessError):
        HostReportFact().process(said)


def test_file_states_tells_digest_and_mode_of_what_is_there(tmp_path):
    (tmp_path / "file").write_text("content")
    (tmp_path / "file").chmod(0o600)
    asked = json.dumps([str(tmp_path / "file"), str(tmp_path / "missing")])
    said = subprocess.run(
        [sys.executable, "-I", "-c", LOOK_AT_FILES, asked], capture_output=True, text=True, check=True
    )
    digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert FileStates().process(said.stdout.splitlines()) == {str(tmp_path / "file"): [digest, 0o600]}


def test_existing_paths_are_quoted_and_read_back(tmp_path):
    (tmp_path / "with space").touch()
    command = ExistingPaths().command(paths=[str(tmp_path / "with space"), str(tmp_path / "missing")])
    said = subprocess.run(["sh", "-c", str(command)], capture_output=True, text=True, check=True).stdout
    assert ExistingPaths().process(said.splitlines()) == [str(tmp_path / "with space")]


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
