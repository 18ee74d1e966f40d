"""Hosts that write without end, wherever a stream of theirs is read: an ssh that does what a test says."""

import resource

import pytest
import samples

from haplane.agent.manifest import KEYS, PAYLOAD
from haplane.bundle.manifest import BundleFile
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.remote import database, push
from haplane.remote.database import fetch_output, send_database
from haplane.remote.holder import Holder, Owner
from haplane.remote.member_snapshots import MemberSnapshots

HOST = samples.host("m1", 21)
FLOOD = "exec head -c 300000000 /dev/zero"
OURS = Owner(user="u", machine="m", command="c", since="s")
ID = "20261122T184500Z-m2-r12345"


@pytest.fixture
def ssh_that(tmp_path, monkeypatch):
    def make(script):
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


@pytest.fixture(autouse=True)
def memory():
    """No test may take more than 64 MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def refused(action, *arguments):
    with pytest.raises(HaplaneError) as refusal:
        action(*arguments)
    assert len(str(refusal.value)) < 1000
    return refusal.value


def test_the_lock_s_complaints(ssh_that):
    ssh_that(f"{FLOOD} >&2")
    holder = Holder(HOST)
    refused(holder.take, "t", OURS)
    holder.hang_up()
    holder.wait(5)


@pytest.mark.parametrize("words", ["x" * 100, '{"granted": "maybe"}'])
def test_the_lock_s_answer_is_not_waited_for_past_its_bound(ssh_that, words):
    """Lines that are no answer, one after the other, kept us reading for ever."""
    ssh_that(f"exec yes '{words}'")
    holder = Holder(HOST)
    refused(holder.take, "t", OURS)
    holder.hang_up()
    holder.wait(0)


def test_who_holds_the_lock_is_told_in_a_line():
    assert len(str(Owner(user="u" * 10_000, machine="m", command="c" * 10_000, since="s"))) < 700


def test_a_database_that_is_sent(ssh_that, tmp_path):
    ssh_that(f"{FLOOD} >&2")
    (tmp_path / "db").write_bytes(b"x")
    refused(send_database, [HOST, HOST], tmp_path / "db", "0" * 64, "/x")


def test_a_database_that_is_fetched(ssh_that, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "DATABASE_BYTES", 1 << 20)
    ssh_that(FLOOD)
    assert refused(fetch_output, HOST, "x", tmp_path / "out").why == "it sent more than 1 MiB"
    assert not (tmp_path / "out").exists()


def test_a_database_larger_than_there_is_room_for(ssh_that, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "RESERVE_BYTES", 1 << 60)
    ssh_that(FLOOD)
    assert "all that fits into" in refused(fetch_output, HOST, "x", tmp_path / "out").why
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", [KEYS, PAYLOAD])
def test_what_a_member_keeps(ssh_that, tmp_path, part):
    ssh_that(FLOOD)
    download = MemberSnapshots(HOST, "/kept").download
    assert refused(download, ID, part, tmp_path / "out", 1 << 20).why == "it sent more than 1 MiB"
    assert not (tmp_path / "out").exists()


@pytest.fixture
def sent(tmp_path):
    """A file of a bundle that waits for no report."""
    (tmp_path / "stored").write_bytes(bytes(1 << 16))
    return BundleFile(
        component="any", path="/x", sha256="0" * 64, size=1 << 16, mode=0o755, stored="stored", stored_size=1 << 16,
        compression="none", roles=("master",),
    )  # fmt: skip


STUCK = {
    "it takes nothing": ("exec yes 0", "nothing more arrived"),
    "it takes everything, and never ends": ("cat >/dev/null; while sleep 0.01; do echo 1; done", "did not end"),
}


@pytest.mark.parametrize("stuck", STUCK.values(), ids=STUCK)
def test_a_push_ends_whatever_the_host_reports(ssh_that, sent, tmp_path, monkeypatch, stuck):
    """Every report counted as progress, one without any as well."""
    script, late = stuck
    monkeypatch.setattr(push, "END_SECONDS", 0.5)
    ssh_that(script)
    assert late in refused(push.Push(HOST, tmp_path, [sent], silent).wait, 1).what


def test_a_host_has_no_more_than_it_was_sent(ssh_that, sent, tmp_path):
    ssh_that("echo 99999999999; exec cat >/dev/null")
    why = refused(push.Push(HOST, tmp_path, [sent], silent).wait, 30).why
    assert why == "it reported more bytes than it was sent"
