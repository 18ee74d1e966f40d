import dataclasses
import shutil
import stat

import pytest

from haplane.errors import Refused
from haplane.recovery.database import take_in
from haplane.recovery.scratch.etcd import scratch_etcd


def test_what_a_snapshot_says_is_learnt_from_a_restore_of_it(snapshot, tools):
    found = take_in(snapshot, tools)
    assert (found.keys, found.revision) == (22, 23)
    assert found.uid == "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"
    assert found.ca == b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
    assert found.path.read_bytes() == snapshot.read_bytes()


@pytest.mark.parametrize("given", ["data", "data/member"])
def test_a_copied_data_directory_gives_what_its_log_holds_besides(taken, tools, given):
    """The very last entry may be missing: etcd writes down only with the next one that it was committed."""
    assert take_in(taken / given, tools).keys in (23, 24)


def test_a_database_file_without_a_hash_gets_one(taken, tools, tmp_path):
    copy = shutil.copyfile(taken / "data" / "member" / "snap" / "db", tmp_path / "db")
    assert take_in(copy, tools).keys >= 22


def changed(path, at, byte):
    content = bytearray(path.read_bytes())
    content[at] ^= byte
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-4096])


def cut_anywhere(path):
    path.write_bytes(path.read_bytes()[:-1000])


SPOILT = {
    "is empty": lambda path: path.write_bytes(b""),
    "is not an etcd snapshot": lambda path: path.write_bytes(b"#!/bin/sh\n" * 900),
    "incomplete or was changed": lambda path: changed(path, 9000, 1),
}


@pytest.mark.parametrize("message", SPOILT)
def test_each_bad_one_has_a_message_of_its_own(snapshot, tools, message):
    SPOILT[message](snapshot)
    with pytest.raises(Refused, match=message) as refusal:
        take_in(snapshot, tools)
    assert refusal.value.where == str(snapshot)
    assert refusal.value.next_step


@pytest.mark.parametrize("spoil", [truncate, cut_anywhere])
def test_one_that_is_cut_short_is_refused(snapshot, tools, spoil):
    spoil(snapshot)
    with pytest.raises(Refused, match="incomplete|damaged"):
        take_in(snapshot, tools)


def test_a_newer_etcds_is_refused(snapshot, tools):
    with pytest.raises(Refused, match=r"made by etcd 3\.6\.0, and the bundle has 3\.5\.9"):
        take_in(snapshot, dataclasses.replace(tools, etcd_version="3.5.9"))


def test_one_of_an_absurd_revision_is_refused(snapshot, tools, tmp_path):
    """A member that lies has the highest one of all: later restores would find no room above it."""
    bump = ("--bump-revision", str(1 << 60), "--mark-compacted", "--data-dir", str(tmp_path / "bumped"))
    tools.run("etcdutl", "snapshot", "restore", str(snapshot), *bump)
    with pytest.raises(Refused, match="not the data of a cluster") as refusal:
        take_in(tmp_path / "bumped" / "member" / "snap" / "db", tools)
    assert "no cluster reaches" in refusal.value.why


def test_one_that_is_of_no_kubernetes_cluster_is_refused(tools, tmp_path):
    with scratch_etcd(tools, tmp_path / "data") as etcd:
        etcd.save(tmp_path / "other.db")
    with pytest.raises(Refused, match="not from a Kubernetes cluster"):
        take_in(tmp_path / "other.db", tools)


def test_a_directory_without_data_is_refused(tools, tmp_path):
    with pytest.raises(Refused, match="holds no etcd data"):
        take_in(tmp_path, tools)
