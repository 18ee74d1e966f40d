"""What the scripts say to etcd, said to a real one: three members on loopback, one of them lost or damaged."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agent.machinery import Cluster, unpack_programs

from haplane.domain.etcd_failure import FailureKind, failure
from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.members import CORRUPT_ALARM
from haplane.domain.steps.etcd_space import NOSPACE, fullness, quota_of
from haplane.errors import BadInput
from haplane.operations import etcd
from haplane.scripts import script
from haplane.waiting import wait_until

pytestmark = pytest.mark.bundle

CHECKS = ("--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true", "--compact-hash-check-time=1s")
WRAPPER = """#!/usr/bin/env python3
import os, sys
words = [word for word in sys.argv[1:] if not word.startswith(("--endpoints=", "--cacert=", "--cert=", "--key="))]
os.execv({program!r}, ["etcdctl", "--endpoints=" + os.environ["ETCD_AT"], *words])
"""


MARK = b"a-value-that-will-be-damaged"


def database(cluster, name):
    return cluster.directory / name / "member" / "snap" / "db"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("programs")
    try:
        unpack_programs(directory)
    except BadInput as error:
        pytest.skip(f"needs the bundle: {error.what}")
    return directory


@pytest.fixture
def cluster(programs, tmp_path):
    made = Cluster(programs, tmp_path / "etcd", options=("--unsafe-no-fsync", *CHECKS))
    made.directory.mkdir()
    made.start()
    made.put("/marked", MARK)
    wait_until(
        lambda: all(MARK in database(made, name).read_bytes() for name in made.ports), 30, "it is on every disk"
    )
    yield made
    made.stop()


@pytest.fixture
def say(programs, tmp_path, cluster):
    """Runs one of the operations' scripts as on the host of a member."""
    wrapper = tmp_path / "bin" / "etcdctl"
    wrapper.parent.mkdir()
    wrapper.write_text(WRAPPER.format(program=str(programs / "etcdctl")))
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def said(at, text):
        environment = os.environ | {"PATH": path, "ETCD_AT": cluster.url(at)}
        done = subprocess.run(
            ["sh", "-c", text],
            capture_output=True, text=True, env=environment, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return said


def listed(cluster, at="m1"):
    return json.loads(cluster.etcdctl("member", "list", "-w", "json", at=at).stdout)["members"]


def persist(say, at, operation, **words):
    """The very command that the operation yields."""
    say(at, next(iter(operation._inner(**words))).get_raw_value())


def rebuilt(cluster, say, name, *, at="m1"):
    """As phases/change_members does it."""
    gone = next(member for member in listed(cluster, at) if member["name"] == name)
    persist(say, at, etcd.remove_member, member=f"{gone['ID']:x}")
    if name in cluster.running:
        cluster.stop(name)
    shutil.rmtree(cluster.directory / name)
    peer_url = f"http://127.0.0.1:{cluster.ports[name][1]}"
    for _ in range(2):  # an answer that was lost: the second one finds it made
        persist(say, at, etcd.add_learner, member=name, peer_url=peer_url)
    cluster.options += ("--initial-cluster-state=existing",)
    cluster.start_member(name)
    say(name, script("wait_for_etcd_start"))
    [learner] = [member for member in listed(cluster, at) if member.get("isLearner")]
    for _ in range(2):
        persist(say, at, etcd.promote, member=f"{learner['ID']:x}")
    say(name, script("wait_for_member", deadline_seconds="80"))


def test_a_lost_member_is_replaced_while_others_write(cluster, say):
    cluster.stop("m2")
    shutil.rmtree(cluster.directory / "m2" / "member")
    wait_until(lambda: cluster.etcdctl("put", "/count", "0").returncode == 0, 30, "a leader among the other two")
    writer = (
        'n=0; while test ! -e "$1/stop"; do n=$((n+1)); said=$(etcdctl --command-timeout=5s put /count $n 2>&1) '
        '&& echo $n >> "$1/kept" || echo "$n $said" >> "$1/failed"; done'
    )
    environment = os.environ | {"PATH": f"{cluster.directory.parent}/bin:{os.environ['PATH']}"}
    environment["ETCD_AT"] = cluster.url("m1")
    writing = subprocess.Popen(["sh", "-c", writer, "sh", str(cluster.directory)], env=environment)
    rebuilt(cluster, say, "m2")
    (cluster.directory / "stop").touch()
    writing.wait(30)
    kept = (cluster.directory / "kept").read_text().split()
    failed = cluster.directory / "failed"
    assert not failed.exists(), failed.read_text()
    assert cluster.etcdctl("get", "--print-value-only", "/count", at="m2").stdout.decode().split() == kept[-1:]
    assert len(listed(cluster)) == 3
    assert not any(member.get("isLearner") for member in listed(cluster))


def damage(cluster, name):
    """In a value, so that the file can still be read."""
    with database(cluster, name).open("r+b") as file:
        for found in re.finditer(MARK, file.read()):
            file.seek(found.start())
            file.write(b"A")


def test_a_damaged_member_says_so_when_it_starts_and_is_rebuilt(cluster, say, tmp_path):
    cluster.etcdctl("put", "/another", "value")
    cluster.stop("m3")
    damage(cluster, "m3")
    (cluster.directory / "m3.log").write_text("")
    cluster.start_member("m3")
    log = cluster.directory / "m3.log"
    wait_until(lambda: cluster.running["m3"].poll() is not None, 60, "the damaged member ends", every=0.2)
    assert last_failure(log).kind is FailureKind.DAMAGED, log.read_text()[-2000:]
    rebuilt(cluster, say, "m3")


def last_failure(log):
    return failure(log.read_text(errors="replace").splitlines())


def spoil_meta_pages(data):
    with (data / "member/snap/db").open("r+b") as file:
        file.write(bytes(8192))


def spoil_pages(data):
    with (data / "member/snap/db").open("r+b") as file:
        file.seek(8192)
        file.write(bytes((data / "member/snap/db").stat().st_size - 8192))


def spoil_log(data):
    with next(iter((data / "member/wal").glob("*.wal"))).open("r+b") as file:
        file.seek(file.read().index(MARK))
        file.write(b"spoilt")


def read_only(data):
    subprocess.run(["mount", "-o", "bind", data, data], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", data], check=True)


def lose_the_log_header(data):
    os.truncate(next(iter((data / "member/wal").glob("*.wal"))), 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (spoil_meta_pages, FailureKind.DAMAGED),
        (spoil_pages, FailureKind.DAMAGED),
        (spoil_log, FailureKind.DAMAGED),
        (read_only, FailureKind.READ_ONLY),
        (lose_the_log_header, FailureKind.UNKNOWN),
    ],
)
def test_what_etcd_writes_when_it_cannot_start_is_understood(cluster, spoil, kind):
    cluster.stop("m3")
    log = cluster.directory / "m3.log"
    log.write_text("")
    try:
        spoil(cluster.directory / "m3")
        cluster.start_member("m3")
        wait_until(lambda: cluster.running["m3"].poll() is not None, 60, "the member ends", every=0.2)
        assert last_failure(log).kind is kind, log.read_text()[-2000:]
    finally:
        subprocess.run(["umount", "-q", cluster.directory / "m3"], check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_a_member_on_a_full_disk_is_not_called_damaged_and_goes_on_once_there_is_room(cluster):
    """Its write fails within a transaction of mvcc, whose name is then in the stack trace."""
    cluster.stop("m3")
    place, log = cluster.directory / "m3", cluster.directory / "m3.log"
    copy = cluster.directory / "copy"
    shutil.copytree(place, copy)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150m,mode=700", "tmpfs", place], check=True)
    try:
        shutil.copytree(copy, place, dirs_exist_ok=True)
        log.write_text("")
        cluster.start_member("m3")
        wait_until(lambda: cluster.etcdctl("get", "x", at="m3").returncode == 0, 30, "it serves")
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/FILL", "bs=1M"], stderr=subprocess.DEVNULL, check=False)
        for number in range(60):
            if cluster.running["m3"].poll() is not None:
                break
            cluster.etcdctl("put", f"/fill/{number}", stdin=os.urandom(700_000))  # it fails while another is elected
        wait_until(lambda: cluster.running["m3"].poll() is not None, 30, "its disk is full", every=0.2)
        found = last_failure(log)
        assert (found.kind, found.words[-23:]) == (FailureKind.DISK_FULL, "no space left on device")
        (place / "FILL").unlink()
        cluster.start_member("m3")
        wait_until(lambda: cluster.etcdctl("get", "x", at="m3").returncode == 0, 30, "it serves again")
        assert last_failure(log) is None
    finally:
        cluster.stop("m3")
        subprocess.run(["umount", "-q", "--lazy", place], check=False)


def test_damage_to_a_running_member_stops_writes_until_it_is_gone_and_the_alarm_is_taken_back(cluster, say):
    victim = next(name for name in ("m3", "m2") if name != cluster.leader())
    at = "m1"
    damage(cluster, victim)
    revision = json.loads(cluster.etcdctl("get", "x", "-w", "json").stdout)["header"]["revision"]
    cluster.put("/another", b"value")
    cluster.etcdctl("compact", str(revision))
    damaged = next(member["ID"] for member in listed(cluster) if member["name"] == victim)

    def alarmed():
        status = json.loads(cluster.etcdctl("endpoint", "status", "-w", "json").stdout)[0]["Status"]
        return [int(number) for error in status.get("errors", []) for number in CORRUPT_ALARM.findall(error)]

    assert wait_until(alarmed, 60, "the leader's check finds it", every=0.2) == [damaged]
    assert cluster.etcdctl("put", "/refused", "x").returncode != 0
    assert cluster.etcdctl("get", "/another").returncode == 0  # what is asked of a member's health still works
    persist(say, at, etcd.remove_member, member=f"{damaged:x}")
    persist(say, at, etcd.clear_alarms)
    began = time.monotonic()
    wait_until(lambda: cluster.etcdctl("put", "/taken", "x").returncode == 0, 30, "writes go on", every=0.1)
    assert time.monotonic() - began < 30


def test_out_of_space_is_over_once_etcd_is_compacted_defragmented_and_disarmed(say, cluster):
    """What the phase orders, on members whose quota is smaller than what was written and deleted."""
    cluster.stop()
    cluster.options += ("--quota-backend-bytes=16777216", "--initial-cluster-state=existing")
    for name in cluster.ports:
        cluster.start_member(name)
    wait_until(lambda: cluster.etcdctl("get", "x").returncode == 0, 30, "etcd serves")
    written = 0
    while cluster.etcdctl("put", "/churn", stdin=os.urandom(700_000)).returncode == 0:
        written += 1
        assert written < 60

    def status_now():
        said = json.loads(cluster.etcdctl("endpoint", "status", "-w", "json").stdout)[0]["Status"]
        return EtcdStatus.model_validate(said)

    full = status_now()
    assert NOSPACE.search("\n".join(full.errors))
    assert fullness(full) > 0.7  # etcd refuses what would not fit: the file may end a write below its quota
    assert quota_of(full) == 16 << 20
    say(
        "m1", script("wait_for_member", deadline_seconds="80")
    )  # reads go on: a restart of ours does not wait for ever
    say("m1", script("compact"))
    say("m1", script("compact"))  # once more: there is nothing left to give up
    for name in cluster.ports:
        say(name, script("defragment"))
    persist(say, "m1", etcd.clear_alarms)
    wait_until(lambda: cluster.etcdctl("put", "/after", stdin=b"x").returncode == 0, 30, "writes go on")
    assert status_now().errors == ()
    assert fullness(status_now()) < 0.2
