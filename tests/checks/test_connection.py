import shlex

import pytest
import samples

from haplane.checks import connection
from haplane.checks.connection import connect, ssh_arguments
from haplane.checks.survey import CannotAnswer
from haplane.config.model import Host, Ssh


def test_options_survive_a_shell():
    ssh = Ssh.model_construct(hostname="m1", known_hosts_file="/a dir/known", strict_host_key_checking="yes")
    host = Host.model_construct(name="m1", ssh=ssh)
    words = shlex.split(ssh_arguments(host))
    assert words[::2] == ["-o"] * (len(words) // 2)
    assert 'UserKnownHostsFile="/a dir/known"' in words
    assert "BatchMode=yes" in words
    assert "StrictHostKeyChecking=yes" in words


@pytest.fixture
def ssh_that(tmp_path, monkeypatch):
    """An ssh that does this instead of connecting; what it is to a check."""

    def make(script):
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return connect(samples.host("m1", 21))

    return make


def test_an_answer_is_what_the_host_says(ssh_that):
    done = ssh_that("echo said; echo oh >&2; exit 3").run("true")
    assert (done.rc, done.stdout, done.stderr) == (3, "said\n", "oh\n")


def test_an_answer_without_end_is_none(ssh_that):
    with pytest.raises(CannotAnswer, match="takes more than 64 MiB"):
        ssh_that("exec yes").run("true")


def test_an_answer_that_never_comes_is_none(ssh_that, monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.3)
    with pytest.raises(CannotAnswer, match="did not answer within"):
        ssh_that("exec sleep 60").run("true")
