"""What a host reports of its etcd member."""

import json
import os
import socket

import pytest
from observing import observe

from haplane.facts.on_host.etcd import drops_connections


def varint(number):
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def logged(kind, data=b""):
    """A record as etcd's log has it."""
    record = b"\x08" + varint(kind) + b"\x10\x07" + (b"\x1a" + varint(len(data)) + data if data else b"")
    padding = -len(record) % 8
    length = len(record) | (0x80 | padding) << 56 if padding else len(record)
    return length.to_bytes(8, "little") + record + bytes(padding)


@pytest.mark.parametrize(
    ("newest", "cluster"),
    [
        (logged(4) + logged(1, b"\x08\x05\x10" + varint(2**64 - 3)) + bytes(64), 2**64 - 3),
        (logged(4) + logged(2, b"\x08\x05"), None),
        (logged(4)[:12], None),
        (b"", None),
    ],
)
def test_whose_data_is_on_the_disk_is_told_also_while_etcd_is_down(tmp_path, newest, cluster):
    (tmp_path / "0000000000000000-0000000000000000.wal").write_bytes(b"older")
    (tmp_path / "0000000000000001-0000000000000042.wal").write_bytes(newest)
    assert observe(moved={"/var/lib/etcd/member/wal": tmp_path}).etcd.data_cluster_id == cluster


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/tty")], ids=["pipe", "link"])
def test_what_etcd_puts_in_the_place_of_its_log_keeps_no_report_waiting(tmp_path, put):
    put(tmp_path / "0000000000000000-0000000000000000.wal")
    assert observe(moved={"/var/lib/etcd/member/wal": tmp_path}).etcd.data_cluster_id is None


@pytest.mark.parametrize(("path", "has_data"), [("member/snap", False), ("member/wal", True)])
def test_data_is_what_etcds_unit_asks_for(tmp_path, path, has_data):
    (tmp_path / path).mkdir(parents=True)
    assert observe(moved={"/var/lib/etcd/": f"{tmp_path}/"}).etcd.has_data is has_data


@pytest.fixture
def member(tmp_path):
    """A member with data: its etcdctl and its journal say what a test lets them."""
    (tmp_path / "etcd" / "member" / "wal").mkdir(parents=True)
    (tmp_path / "pki").mkdir()
    for name in ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key"):
        (tmp_path / "pki" / name).touch()
    moved = {"/var/lib/etcd/": f"{tmp_path}/etcd/", "/etc/etcd/pki": tmp_path / "pki"}

    def look(etcdctl="exit 1", journal=(), edited=()):
        (tmp_path / "said").write_text("\n".join(journal))
        for name, script in (("etcdctl", etcdctl), ("journalctl", f"cat {tmp_path}/said")):
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return observe(commands=tmp_path, moved=moved, edited=edited, etcd_addresses=["10.0.0.21", "10.0.0.22"]).etcd

    return look


LATE_AT_FIRST = """
case "$*" in *--command-timeout=10s*) ;; *) exit 1 ;; esac
case "$*" in *status*) echo '[{"Status": {"header": {"member_id": 1}}}]' ;; *) echo '{"members": []}' ;; esac
"""


@pytest.mark.parametrize("at_first", ["exit 1", "kill $$"])
@pytest.mark.parametrize("slow", [True, False])
def test_a_member_on_a_slow_host_is_asked_again_by_itself(member, slow, at_first):
    """All probes at once took an emulated machine 25 s, in which no etcdctl had an answer: `no quorum: 0 of 1`."""
    took = (("SLOW_SECONDS = 10.0", f"SLOW_SECONDS = {0.0 if slow else 60.0}"),)
    assert member(LATE_AT_FIRST.replace("exit 1", at_first), edited=took).reads_through_quorum is slow


def test_an_etcdctl_that_is_not_there_makes_its_member_unknown_and_not_broken(tmp_path):
    (tmp_path / "etcd" / "member" / "wal").mkdir(parents=True)
    (tmp_path / "pki").mkdir()
    for name in ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key"):
        (tmp_path / "pki" / name).touch()
    moved = {"/var/lib/etcd/": f"{tmp_path}/etcd/", "/etc/etcd/pki": tmp_path / "pki"}
    found = observe(moved=moved)
    assert found.failed["etcd"] == "etcdctl could not be run: not found in PATH"
    assert found.lacks["etcd"] == "etcdctl"


def test_a_member_that_lost_haplanes_client_certificate_is_asked_with_another(tmp_path):
    """`rm /etc/etcd/pki/healthcheck-client.crt`: a member that serves was to be restarted."""
    (tmp_path / "etcd" / "member" / "wal").mkdir(parents=True)
    (tmp_path / "pki").mkdir()
    for name in ("ca.crt", "peer.crt", "peer.key"):
        (tmp_path / "pki" / name).touch()
    moved = {"/var/lib/etcd/": f"{tmp_path}/etcd/", "/etc/etcd/pki": tmp_path / "pki"}
    asked = tmp_path / "asked"
    (tmp_path / "etcdctl").write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    (tmp_path / "etcdctl").chmod(0o755)
    assert observe(commands=tmp_path, moved=moved).etcd.reads_through_quorum
    assert f"--cert={tmp_path}/pki/peer.crt --key={tmp_path}/pki/peer.key" in asked.read_text()


READY = '{"level":"info","msg":"ready to serve client requests"}'
DIFFERS = '{"level":"fatal","msg":"discovery failed","error":"8e9e found data inconsistency with peers"}'


@pytest.mark.parametrize(
    ("journal", "complains"),
    [
        ([READY, DIFFERS], True),
        ([DIFFERS, READY], False),
        (["panic: freepages: failed to get all reachable pages (page 7: multiple references)"], True),
        (['{"level":"fatal","msg":"listen tcp 10.0.0.21:2380: bind: address already in use"}'], False),
        ([], False),
    ],
)
def test_a_member_that_does_not_run_reports_its_last_words(member, journal, complains):
    assert member(journal=journal).damaged is complains


def test_of_members_that_nobody_asked_about_the_others_tell_whether_they_serve(member):
    members = [
        {"ID": number, "peerURLs": [f"https://10.0.0.{number}:2380"], "clientURLs": [f"https://10.0.0.{number}:2379"]}
        for number in (21, 30, 31)
    ]
    found = member(
        f"case \"$*\" in\n*'member list'*) echo '{json.dumps({'members': members})}' ;;\n"
        "*10.0.0.30:2379*get*) echo '{}' ;;\n*) exit 1 ;;\nesac"
    )
    assert found.outsiders == {"1e": True, "1f": False}


def test_a_member_that_asks_for_a_user_is_told_from_one_without_quorum(member):
    """The words are etcd 3.6.16's, after `etcdctl auth enable`, to a client with a certificate."""
    denied = "case \"$*\" in *get*) echo 'Error: etcdserver: permission denied' >&2; exit 1 ;; *) echo '[]' ;; esac"
    assert (member(denied).denies, member(denied).reads_through_quorum) == (True, False)
    assert not member("exit 1").denies
    assert not member("echo '[]'").denies


def test_a_port_that_drops_packets_is_told_from_a_member_that_does_not_answer(tmp_path):
    """A queue that is full drops what comes, as a packet filter does."""
    with socket.socket() as queue, socket.socket() as first, socket.socket() as second:
        queue.bind(("127.0.0.1", 0))
        queue.listen(0)
        assert not drops_connections(queue.getsockname()), "nobody accepts it, as nobody does of a frozen one"
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(queue.getsockname())
        assert drops_connections(queue.getsockname())
    assert not drops_connections(("127.0.0.1", 1)), "refused"
