"""Listing, verifying and pruning over places in memory: what is believed, what is found, what may go."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import samples
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haplane.domain.progress import silent
from haplane.errors import BadInput, HaplaneError, Unreachable
from haplane.snapshots.manifest import KEYS, PAYLOAD, Manifest, SealedKeys, SnapshotId
from haplane.snapshots.places import Signed
from haplane.workflows import snapshot as workflow
from haplane.workflows import verify_snapshot as verifying

KEY = Ed25519PrivateKey.generate()
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
RECIPIENT = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
INVENTORY = samples.inventory(
    snapshots={
        "recipients": (RECIPIENT,),
        "signing_key": base64.b64encode(KEY.public_key().public_bytes_raw()).decode(),
        "keep_remote": {"last": 2},
        "s3": {"bucket": "etcd"},
    }
)
PARTS = {PAYLOAD: b"payload", KEYS: b"sealed"}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def manifest(minutes, revision=7, quorum=True):
    taken_at = NOW - timedelta(minutes=minutes)
    return Manifest(
        id=str(SnapshotId(taken_at, "m2", revision)), cluster="test", uid=None, member="m2", taken_at=taken_at,
        revision=revision, quorum_revision=revision if quorum else None, key_count=3, database_sha256="0" * 64,
        database_bytes=1, payload_sha256=sha256(b"payload"), payload_bytes=7, etcd_version="3.6.16",
        kubernetes_version=None, keys=SealedKeys("f" * 64, sha256(b"sealed")),
    )  # fmt: skip


class MemoryPlace:
    """Snapshots by id: signed manifests, and parts."""

    def __init__(self, name, *manifests, key=KEY):
        self.name = name
        self.parts = {each.id: dict(PARTS) for each in manifests}
        self.manifests = {each.id: Signed(each.to_bytes(), key.sign(each.to_bytes())) for each in manifests}
        self.error = None

    def ids(self):
        if self.error:
            raise self.error
        return {each: each in self.manifests for each in self.parts}

    def signed(self, ids):
        return {each: self.manifests[each] for each in ids if each in self.manifests}

    def digest(self, snapshot, part):
        if part not in self.parts[snapshot]:
            raise HaplaneError(f"{part} is not in the bucket")
        content = self.parts[snapshot][part]
        return sha256(content), len(content)

    def delete(self, snapshot):
        del self.parts[snapshot]


@pytest.fixture
def places(monkeypatch):
    """A member and the bucket, which both have the same three."""
    made = [manifest(minutes) for minutes in (1, 2, 3)]
    member, bucket = MemoryPlace("m2", *made), MemoryPlace("bucket", *made)
    monkeypatch.setattr(workflow, "places_of", lambda inventory: [member, bucket])
    monkeypatch.setattr(verifying, "places_of", lambda inventory: [member, bucket])
    monkeypatch.setattr(workflow, "bucket_of", lambda inventory: bucket)
    monkeypatch.setattr(workflow, "Bucket", lambda store: store)
    return member, bucket


def newest(place):
    return max(place.parts)


def test_the_list_merges_places_newest_first(places):
    member, _ = places
    del member.parts[newest(member)]
    listing = workflow.list_snapshots(INVENTORY, silent)
    assert [listed.where for listed in listing.snapshots] == [("bucket",), ("m2", "bucket"), ("m2", "bucket")]
    assert all(listed.verified for listed in listing.snapshots)
    assert [listed.id for listed in listing.snapshots] == sorted((one.id for one in listing.snapshots), reverse=True)


def test_a_forged_one_is_not_verified(places):
    _, bucket = places
    forged = MemoryPlace("bucket", manifest(0), key=Ed25519PrivateKey.generate())
    bucket.parts |= forged.parts
    bucket.manifests |= forged.manifests
    listed = workflow.list_snapshots(INVENTORY, silent).snapshots[0]
    assert not listed.verified
    assert "signature" in listed.problem


def test_one_without_quorum_is_listed_and_not_verified(places):
    member, _ = places
    alone = manifest(0, quorum=False)
    member.parts[alone.id], member.manifests[alone.id] = dict(PARTS), MemoryPlace("m2", alone).manifests[alone.id]
    listed = workflow.list_snapshots(INVENTORY, silent).snapshots[0]
    assert (listed.verified, listed.problem) == (False, None)


def test_a_place_that_is_silent_is_named_and_no_place_at_all_is_an_error(places):
    member, bucket = places
    bucket.error = HaplaneError("the bucket is gone")
    listing = workflow.list_snapshots(INVENTORY, silent)
    assert listing.silent == {"bucket": "the bucket is gone"}
    assert listing.exit_code == 6
    member.error = HaplaneError("off")
    with pytest.raises(Unreachable):
        workflow.list_snapshots(INVENTORY, silent)


def verified(wanted="latest"):
    return verifying.verify_snapshot(INVENTORY, wanted, (), silent)


def test_whole_copies_are_verified(places):
    found = verified()
    assert [(copy.place, copy.problem) for copy in found.copies] == [("m2", None), ("bucket", None)]
    assert found.exit_code == 0


@pytest.mark.parametrize("part", [PAYLOAD, KEYS])
def test_a_swapped_part_is_found(places, part):
    _, bucket = places
    bucket.parts[newest(bucket)][part] = b"swapped"
    found = verified()
    assert found.exit_code == 6
    assert [copy.place for copy in found.copies if copy.problem] == ["bucket"]
    assert f"{part} is not what was signed" in found.copies[1].problem


def test_a_deleted_part_and_a_deleted_snapshot_are_found(places):
    _, bucket = places
    last = newest(bucket)
    del bucket.parts[last][PAYLOAD]
    assert "not in the bucket" in verified().copies[1].problem
    del bucket.parts[last], bucket.manifests[last]
    found = verified(last)
    assert "not there" in found.copies[1].problem
    assert found.exit_code == 6


def test_an_old_one_under_a_new_name_is_found(places):
    _, bucket = places
    older, last = sorted(bucket.parts)[-2:]
    bucket.manifests[last] = bucket.manifests[older]
    assert "another snapshot" in verified().copies[1].problem


def test_an_unknown_id_is_bad_input(places):
    with pytest.raises(BadInput, match="no such snapshot"):
        verified("20200101T000000Z-m1-r1")


def test_pruning_removes_what_the_retention_does_not_keep_and_nothing_foreign(places):
    _, bucket = places
    foreign = MemoryPlace("bucket", manifest(60 * 24 * 400), key=Ed25519PrivateKey.generate())
    bucket.parts |= foreign.parts
    bucket.manifests |= foreign.manifests
    half, fresh = manifest(60 * 25).id, manifest(60 * 23).id
    bucket.parts |= {half: {PAYLOAD: b""}, fresh: {PAYLOAD: b""}}
    pruning = workflow.plan_pruning(INVENTORY, silent, NOW)
    assert pruning.removable == (manifest(3).id,)
    assert pruning.abandoned == (half,)
    assert set(pruning.left_alone) == set(foreign.parts)
    done = workflow.prune(INVENTORY, pruning, silent)
    assert set(done.removed) == {manifest(3).id, half}
    assert set(bucket.parts) == {manifest(1).id, manifest(2).id, fresh, *foreign.parts}


def test_the_newest_verified_one_stays_whatever_came_after_it(places):
    _, bucket = places
    for minutes in range(-5, 1):
        alone = manifest(minutes, quorum=False)
        bucket.parts[alone.id] = dict(PARTS)
        bucket.manifests[alone.id] = MemoryPlace("bucket", alone).manifests[alone.id]
    assert manifest(1).id in workflow.plan_pruning(INVENTORY, silent, NOW).kept


def test_without_a_bucket_there_is_nothing_to_prune():
    settings = INVENTORY.cluster.snapshots.model_copy(update={"s3": None})
    given = INVENTORY.model_copy(update={"cluster": INVENTORY.cluster.model_copy(update={"snapshots": settings})})
    with pytest.raises(BadInput, match="names no bucket"):
        workflow.plan_pruning(given, silent, NOW)
    with pytest.raises(BadInput, match="takes no snapshots"):
        workflow.plan_pruning(samples.inventory(), silent, NOW)


def test_the_best_member_does_not_lead():
    snapshots = {"agent": "agent-1"}
    observation = samples.converged(samples.inventory())
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, snapshots=snapshots)
    found = {each.name: (each.healthy, each.leader) for each in workflow.candidates(INVENTORY, observation)}
    assert found == {"m1": (True, True), "m2": (True, False), "m3": (True, False)}
