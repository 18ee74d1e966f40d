"""The observer as a host runs it, and what becomes of its report."""

import json
import os
import shlex

import pytest
import samples
from fake_hosts import fact
from observing import REQUEST, observe
from pyinfra.api.exceptions import FactProcessError

from haplane.domain.observed import HostReport
from haplane.facts.host_report import HostReportFact
from haplane.remote.environment import at_login


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


@pytest.fixture
def command(tmp_path):
    """Makes a command that prints this, in ``tmp_path/bin``."""

    def make(name: str, prints: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "printed").mkdir(exist_ok=True)
        (tmp_path / "printed" / name).write_text(prints)
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/printed/{name}\n")
        program.chmod(0o755)

    return make


def test_a_tool_that_prints_garbage_empties_its_own_answer_only(tmp_path, command):
    for name in ("ip", "ss", "systemctl"):
        command(name, "LISTEN {\n\nLoadState=loaded\nStateChangeTimestampMonotonic=never\n")
    report = observe(commands=tmp_path / "bin")
    assert set(report.failed) == {"addresses", "listening", "units", "balancer", "surroundings"}
    assert (report.addresses, report.listening, report.units, report.balancer.servers) == ({}, {}, {}, None)
    assert report.machine.memory_bytes > 0


def test_whichever_probe_fails_there_is_a_report():
    asked = ("files", "bundle", "certificates", "units", "apiserver_port", "endpoint_address", "kubeadm_config")
    report = observe(edited=(("disk_usage(path)", 'disk_usage("/missing")'),), **dict.fromkeys(asked))
    assert {"machine", "files", "bundle", "certificates", "units", "settings"} <= set(report.failed)
    assert report.machine.architecture == ""


def test_what_is_not_asked_for_costs_nothing_and_is_not_reported():
    without = observe(without=["workloads", "units", "components"])
    assert (without.units, without.workloads, without.components.of, without.failed) == ({}, None, {}, {})


MOST_OF_AN_ARGUMENT = 32 * os.sysconf("SC_PAGESIZE")
"""Of the kernel's (MAX_ARG_STRLEN): the command is one argument of a host's shell."""


def test_the_command_fits_into_one_argument_twice():
    command = HostReportFact().command(REQUEST).get_raw_value()
    assert len(at_login(shlex.join(("sh", "-c", command)))) < MOST_OF_AN_ARGUMENT / 2


def test_a_report_is_read_from_the_last_line(tmp_path):
    text = json.dumps(samples.document())
    assert isinstance(fact(HostReportFact, ["a login banner", text], request={}), HostReport)


@pytest.mark.parametrize("said", [["not a report"], ["{}"], ["[1, 2]"]])
def test_an_answer_that_cannot_be_read_is_pyinfras_own_error(said):
    """Any other exception would end the run for every host."""
    with pytest.raises(FactProcessError):
        HostReportFact().process(said)


def test_the_name_of_a_file_in_another_encoding_makes_no_report_unreadable(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.conflist")).touch()
    report = observe(moved={"/etc/cni/net.d": tmp_path})
    assert (report.surroundings.cni, report.failed) == (("caf?.conflist",), {})
