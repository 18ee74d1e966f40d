import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from haplane.cli import certs
from haplane.domain.status import Certificate, Renewer
from haplane.errors import ExitCode
from haplane.workflows.certs import Listing

LAB = str(Path(__file__).parents[2] / "inventories" / "lab.py")
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def one(days, path="/etc/etcd/pki/server.crt", by=Renewer.UP):
    return Certificate("m1", path, "CN=m1", "CN=etcd-ca", NOW + timedelta(days=days), days, by)


def listed(monkeypatch, *words, unreachable=None):
    found = Listing((one(-38.0), one(300.0, "/var/lib/kubelet/pki/kubelet.crt")), unreachable or {})
    monkeypatch.setattr(certs, "list_certificates", lambda *_: found)
    return CliRunner().invoke(certs.command, ["status", LAB, *words])


def test_programs_get_every_certificate(monkeypatch):
    done = listed(monkeypatch, "--json")
    first, last = json.loads(done.stdout)["certificates"]
    assert first == {
        "host": "m1", "path": "/etc/etcd/pki/server.crt", "subject": "CN=m1", "issuer": "CN=etcd-ca",
        "not_after": "2026-05-24T00:00:00+00:00", "days_left": -38.0, "renewed_by": "haplane up",
        "is_authority": False, "counts": True, "foreign": False, "flaw": "",
    }  # fmt: skip
    assert last["days_left"] == 300.0


def test_people_get_a_table_and_the_command_that_helps(monkeypatch):
    done = listed(monkeypatch)
    assert "expired 38 days ago" in done.stdout
    assert f"fix: `haplane up {LAB}`" in done.stdout
    assert done.exit_code == ExitCode.DONE


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_host_that_could_not_be_asked_is_named_and_the_exit_code_tells(monkeypatch, words):
    done = listed(monkeypatch, *words, unreachable={"m2": "timed out"})
    assert "not listed: m2 is unreachable (timed out)" in done.stderr
    assert done.exit_code == ExitCode.INCOMPLETE
