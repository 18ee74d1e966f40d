"""Lines that etcd 3.6.16 wrote when it was made to fail, but for directories and stack traces that are cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.domain.etcd_failure import Failure, FailureKind, failure, kind_of

TRACE = (
    "go.etcd.io/bbolt.Open\\n\\tgo.etcd.io/bbolt@v1.4.3/db.go:292\\n"
    "go.etcd.io/etcd/server/v3/storage/mvcc.(*watchableStoreTxnWrite).End\\n\\tstorage/mvcc/watchable_store_txn.go:42"
)
COMMIT = (
    '{"level":"fatal","ts":"2026-11-28T17:32:23Z","caller":"backend/batch_tx.go:282","msg":"failed to commit tx",'
    '"error":"write /var/lib/etcd/member/snap/db: no space left on device","stacktrace":"' + TRACE + '"}'
)
READY = '{"level":"info","caller":"embed/serve.go:103","msg":"ready to serve client requests"}'
NOTHING_NEW = "panic: failed to open database"


def opened(error):
    return (
        '{"level":"panic","ts":"2026-11-28T17:23:25.607947Z","caller":"backend/backend.go:205",'
        f'"msg":"failed to open database","path":"/var/lib/etcd/member/snap/db","error":"{error}",'
        f'"stacktrace":"{TRACE}"}}'
    )


def ended(error):
    return (
        '{"level":"fatal","ts":"2026-11-28T17:26:27Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed",'
        f'"error":"{error}","stacktrace":"{TRACE}"}}'
    )


REAL = [
    ([ended("8e9e05c52164694d found data inconsistency with peers")], FailureKind.DAMAGED),
    ([opened("invalid database"), NOTHING_NEW], FailureKind.DAMAGED),
    ([opened("checksum error"), NOTHING_NEW], FailureKind.DAMAGED),
    ([opened("file size too small 3000"), NOTHING_NEW], FailureKind.DAMAGED),
    (["panic: assertion failed: Page expected to be: 276, but self identifies as 0"], FailureKind.DAMAGED),
    (
        ["panic: freepages: failed to get all reachable pages (page 7: multiple references (stack: [3 7]))"],
        FailureKind.DAMAGED,
    ),
    (
        [
            ended(
                "walpb: crc mismatch: expected: 7033c1d3 computed: e2200b62: in file "
                "'0000000000000000-0000000000000000.wal' at position: 488"
            )
        ],
        FailureKind.DAMAGED,
    ),
    ([COMMIT], FailureKind.DISK_FULL),
    (
        [opened("write /var/lib/etcd/member/snap/db: no space left on device"), NOTHING_NEW],
        FailureKind.DISK_FULL,
    ),
    (
        [
            '{"level":"panic","msg":"failed to create WAL","error":"no space left on device"}',
            "panic: failed to create WAL",
        ],
        FailureKind.DISK_FULL,
    ),
    (
        [ended("cannot access data directory: open /var/lib/etcd/.touch: read-only file system")],
        FailureKind.READ_ONLY,
    ),
    (
        [
            '{"level":"fatal","caller":"etcdmain/etcd.go:227","msg":"failed to list data directory",'
            '"dir":"/var/lib/etcd","error":"open /var/lib/etcd: permission denied"}'
        ],
        FailureKind.PERMISSION,
    ),
    ([opened("open /var/lib/etcd/member/snap/db: permission denied"), NOTHING_NEW], FailureKind.PERMISSION),
    (["etcd.service: Failed to determine user credentials: No such process"], FailureKind.PERMISSION),
    ([opened("cannot allocate memory"), NOTHING_NEW], FailureKind.NO_MEMORY),
    (["etcd.service: A process of this unit has been killed by the OOM killer."], FailureKind.NO_MEMORY),
    ([ended("listen tcp 10.0.0.21:2380: bind: address already in use")], FailureKind.PORT_TAKEN),
    ([ended("listen tcp 192.0.2.1:2380: bind: cannot assign requested address")], FailureKind.NO_ADDRESS),
    (
        [
            '{"level":"fatal","caller":"etcdmain/etcd.go:198","msg":"listener failed",'
            '"error":"open /etc/etcd/pki/server.crt: no such file or directory"}'
        ],
        FailureKind.KEYS_MISSING,
    ),
    ([ended("tls: private key does not match public key")], FailureKind.KEYS_MISSING),
    ([ended("tls: failed to find any PEM data in key input")], FailureKind.KEYS_MISSING),
    (
        [
            '{"level":"warn","msg":"rejected connection on peer endpoint","remote-addr":"10.0.0.22:41",'
            '"error":"tls: failed to verify certificate: x509: certificate has expired or is not yet valid"}'
        ],
        FailureKind.CERTIFICATE,
    ),
    (["flag provided but not defined: -no-such-flag"], FailureKind.WRONG_FLAGS),
    (["unexpected fault address 0x7fe855914000", "fatal error: fault"], FailureKind.DISK_ERROR),
    (["panic: cannot use none as id"], FailureKind.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "kind"), REAL)
def test_each_failure_is_what_it_is(lines, kind):
    assert failure(["[signal SIGBUS of another time]", READY, *lines]).kind is kind
    assert failure([*lines, READY]) is None


def test_the_words_are_etcds_own_and_never_the_trace():
    found = failure([COMMIT])
    assert found == Failure(
        FailureKind.DISK_FULL, "failed to commit tx: write /var/lib/etcd/member/snap/db: no space left on device"
    )
    assert failure([opened("invalid database"), NOTHING_NEW]).words == "failed to open database: invalid database"
    for word in ("mvcc", "bbolt", "freelist", "corrupt"):
        line = json.dumps({"level": "fatal", "msg": "failed to begin tx", "stacktrace": f"go.etcd.io/{word}.Open"})
        assert failure([line]).kind is FailureKind.UNKNOWN


def test_the_last_word_counts():
    damaged = opened("invalid database")
    assert failure([damaged, COMMIT]).kind is FailureKind.DISK_FULL
    assert failure([COMMIT, damaged]).kind is FailureKind.DAMAGED


@pytest.mark.parametrize(
    "error",
    ["no space left on device", "read-only file system", "permission denied", "input/output error"],
)
def test_an_error_of_the_system_is_never_damage_whatever_was_read(error):
    for reading in ("walpb: crc mismatch", "page 7: ", "invalid freelist page: 3", "snap: crc mismatch"):
        assert kind_of(f"{reading}: read /var/lib/etcd/member: {error}") is not FailureKind.DAMAGED


def test_what_a_serving_member_warns_of_is_no_failure():
    assert (
        failure(['{"level":"warn","msg":"apply request took too long","error":"context deadline exceeded"}']) is None
    )
    assert failure(["", "[]", "null", "{", "not JSON at all: panic: x"]) is None


SYSTEM_ERRORS = st.sampled_from(
    ["no space left on device", "read-only file system", "permission denied", "input/output error",
     "cannot allocate memory", "bind: address already in use"]
)  # fmt: skip


@given(st.lists(st.text(), max_size=5), st.text(), st.text(), SYSTEM_ERRORS, st.sampled_from(["fatal", "panic"]))
def test_whatever_was_written_before_a_last_error_of_the_system_is_no_damage(before, message, place, error, level):
    last = json.dumps({"level": level, "msg": message, "error": f"{place}: {error}", "stacktrace": "bbolt.Open"})
    found = failure([*before, last])
    if not message.startswith("ready to serve"):
        assert found.kind is not FailureKind.DAMAGED
        assert len(found.words) <= 200
