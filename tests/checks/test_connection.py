import pytest
import samples

from haplane.checks import connection
from haplane.checks.connection import connect
from haplane.checks.host_facts import NoAnswer
from haplane.remote import openssh
from haplane.remote.environment import PATH


@pytest.fixture
def ssh_that(tmp_path, monkeypatch):
    """An ssh that does this instead of connecting; what it is to a check."""

    def make(script):
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(openssh, "connect", lambda host: None)
        return connect(samples.host("m1", 21))

    return make


def test_a_check_has_haplane_s_own_environment_and_sudo_outside(tmp_path, ssh_that):
    ssh_that('for last; do :; done; export HTTPS_PROXY=http://192.0.2.1:3128; exec sh -c "$last"')
    (tmp_path / "sudo").write_text('#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    host = samples.host("m1", 21)
    told = connect(host.model_copy(update={"ssh": host.ssh.model_copy(update={"sudo": True})})).run(
        "env; echo %s", "$x"
    )
    assert f"PATH={PATH}\n" in told.stdout
    assert "PROXY" not in told.stdout
    assert told.stdout.endswith("\n$x\n")


def test_an_answer_is_what_the_host_says(ssh_that):
    done = ssh_that("echo hello; echo haplane begins here; echo said; echo oh >&2; exit 3").run("true")
    assert (done.rc, done.stdout, done.stderr) == (3, "said\n", "oh\n")


def test_an_answer_without_end_is_none(ssh_that):
    with pytest.raises(NoAnswer, match="sent more than 64 MiB"):
        ssh_that("echo haplane begins here; exec yes").run("true")


def test_an_answer_that_never_comes_is_none(ssh_that, monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.3)
    with pytest.raises(NoAnswer, match="no answer within"):
        ssh_that("exec sleep 60").run("true")
