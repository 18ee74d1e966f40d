"""The agent against a real etcd cluster and real S3 servers."""

from __future__ import annotations

import hashlib
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage
import pytest

from haplane.agent.manifest import KEYS, MANIFEST, PARTS, PAYLOAD, SIGNATURE
from haplane.domain.retention import KeepPolicy

from .machinery import Cluster, Server
from .members import KEYS_INSIDE, UID, Member, Members

pytestmark = pytest.mark.bundle


def test_a_snapshot_is_whole_signed_and_in_both_places(large: Cluster, members: Members, server: Server) -> None:
    member = members.make(s3=server.settings, kubernetes_version="1.35.4")
    manifest = member.take()
    assert (manifest.uid, manifest.kubernetes_version, manifest.member) == (UID, "1.35.4", "m1")
    assert manifest.quorum_revision is not None
    assert manifest.revision >= manifest.quorum_revision > 20
    assert manifest.payload_bytes > 8 << 20, "more than one part"
    store = member.remote()
    assert store.snapshots()[0].complete
    for part in PARTS:
        content = (member.directory / manifest.id / part).read_bytes()
        assert store.digest(manifest.id, part, len(content)) == (hashlib.sha256(content).hexdigest(), len(content)), (
            part
        )
    plain = pyrage.decrypt(store.read(manifest.id, KEYS), [member.identity])
    assert plain == KEYS_INSIDE
    payload = (member.directory / manifest.id / PAYLOAD).read_bytes()
    assert hashlib.sha256(payload).hexdigest() == manifest.payload_sha256
    assert set(manifest.seconds) == {"read_revision", "save", "verify_and_pack", "place", "upload", "read_back"}


def test_nothing_is_readable_by_others_and_nothing_plain_is_left(cluster: Cluster, members: Members) -> None:
    member = members.make()
    manifest = member.take()
    assert member.leftovers() == []
    place = member.directory / manifest.id
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (member.directory, place, *place.iterdir())}
    assert modes == {"snapshots": 0o700, manifest.id: 0o700, **dict.fromkeys(PARTS, 0o600)}
    assert stat.S_IMODE(Path(member.settings.paths.state).stat().st_mode) == 0o600
    assert stat.S_IMODE((member.root / "haplane_snapshot.prom").stat().st_mode) == 0o644, "for the node exporter"


def test_state_and_metrics_tell_of_a_good_one(cluster: Cluster, members: Members) -> None:
    member = members.make()
    manifest = member.take()
    state = member.state
    assert state["last_good"]["id"] == manifest.id == state["last_attempt"]["id"]
    assert (state["last_attempt"]["outcome"], state["last_error"], state["running"]) == ("delivered", None, None)
    labels = f'{{cluster="{manifest.cluster}",member="m1"}}'
    assert f"haplane_snapshot_last_good_timestamp_seconds{labels} {manifest.taken_at.timestamp()}" in member.textfile
    assert f"haplane_snapshot_local_count{labels} 1\n" in member.textfile


def test_one_member_takes_the_slot_and_not_the_leader(cluster: Cluster, members: Members) -> None:
    everybody = [members.make(name) for name in ("m1", "m2", "m3")]
    cluster.put("haplane/snapshot-slot", b'{"slot": 99999999999}')  # by a member whose clock was wrong
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda member: member.run("tick"), everybody))
    taken = [member.settings.member for member, one in zip(everybody, told, strict=True) if one["did"] == "snapshot"]
    assert len(taken) == 1
    assert taken != [cluster.leader()]
    assert [one["did"] for one in (member.run("tick") for member in everybody)] == ["nothing"] * 3
    noted = json.loads(cluster.etcdctl("get", "haplane/snapshot-slot", "--print-value-only").stdout)
    assert noted["slot"] == told[0]["slot"]


def test_a_member_without_quorum_keeps_what_it_takes_and_says_so(cluster: Cluster, members: Members) -> None:
    member = members.make("m1")
    good = member.take()
    cluster.stop("m2", "m3")
    for number in (1, 2):
        assert member.run("tick")["did"] == "snapshot"
        assert member.state["without_quorum"] == number
    assert member.state["last_good"]["id"] == good.id
    assert member.state["last_attempt"]["outcome"] == "without-quorum"
    assert len(member.ids()) == 3
    cluster.start_member("m2")
    cluster.start_member("m3")


def test_only_what_the_policy_keeps_and_only_what_is_ours(cluster: Cluster, members: Members) -> None:
    member = members.make(keep_local=KeepPolicy(last=2, hourly=0, daily=0))
    foreign = member.directory / "20200101T000000Z-m9-r1"
    foreign.mkdir(parents=True)
    for name in (MANIFEST, SIGNATURE):
        (foreign / name).write_bytes(b"{}")
    taken = []
    for number in range(3):
        cluster.put(f"/x/{number}", b"x")
        taken.append(member.take().id)
    assert member.ids() == [foreign.name, *taken[1:]]


def test_by_hand_it_waits_for_another_member(cluster: Cluster, members: Members) -> None:
    first, second = members.make("m1"), members.make("m2")
    with ThreadPoolExecutor(2) as pool:
        manifests = list(pool.map(Member.take, [first, second]))
    one, other = sorted(manifests, key=lambda manifest: manifest.taken_at)
    assert (other.taken_at - one.taken_at).total_seconds() >= int(one.total_seconds)


@pytest.mark.parametrize("damage", ["absent", "other"])
def test_without_sealed_keys_there_is_no_snapshot(cluster: Cluster, members: Members, damage: str) -> None:
    member = members.make()
    sealed = Path(member.settings.paths.sealed_keys)
    sealed.unlink() if damage == "absent" else sealed.write_bytes(b"other")
    error = member.run("take", exit_code=4)
    assert "sealed keys" in error["error"]
    assert member.ids() == member.leftovers() == []


def test_check_puts_and_reads_back(members: Members, server: Server) -> None:
    member = members.make(s3=server.settings)
    assert member.run("check")["s3"] == "backups"
    assert members.make("m2").run("check") == {"s3": None}
