"""Listing, verifying and pruning over places in memory: what is believed, what is found, what may go."""

import base64
import hashlib
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import samples
from contexts import FakeExecutor
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from haplane.agent.manifest import KEYS, PAYLOAD, SIGNATURE, Manifest, SealedKeys, Signer, SnapshotId
from haplane.agent.store import ListedSnapshot
from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.domain.signer import SignerStatement
from haplane.errors import BadInput, ExitCode, HaplaneError, Refused, Unreachable
from haplane.pki.keys import SigningPair, signing_key_pem
from haplane.pki.member_signing import member_signing_files
from haplane.recovery import places as recovery_places
from haplane.snapshots import catalog, entries
from haplane.snapshots.entries import Standard, read_signed
from haplane.snapshots.places import Bucket, Signed
from haplane.snapshots.signatures import SigningKeys
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


def manifest(minutes, revision=7, quorum=True, member="m2"):
    taken_at = NOW - timedelta(minutes=minutes)
    return Manifest(
        id=str(SnapshotId(taken_at, member, revision)), cluster="test", uid=None, member=member, taken_at=taken_at,
        revision=revision, quorum_revision=revision if quorum else None, key_count=3, database_sha256="0" * 64,
        database_bytes=1, payload_sha256=sha256(b"payload"), payload_bytes=7, etcd_version="3.6.16",
        kubernetes_version=None, keys=SealedKeys("f" * 64, sha256(b"sealed")),
    )  # fmt: skip


MEMBER_KEYS = {}


def member_key(member):
    """The private key that this member signs with, and its certification."""
    if member not in MEMBER_KEYS:
        files = member_signing_files(SigningPair.generate(KEY), "test", member, NOW)
        facts = json.loads(files[host_paths.MEMBER_SIGNER_JSON])
        private = load_pem_private_key(files[host_paths.MEMBER_SIGNING_KEY], None)
        MEMBER_KEYS[member] = private, Signer(facts["statement"], facts["signature"])
    return MEMBER_KEYS[member]


class MemoryPlace:
    """Snapshots by id: signed manifests, and parts."""

    unlisted = None

    def __init__(self, name, *manifests, key=KEY):
        self.name = name
        self.parts = {each.id: dict(PARTS) for each in manifests}
        self.manifests = {each.id: Signed(each.to_bytes(), key.sign(each.to_bytes())) for each in manifests}
        self.error = None

    def ids(self):
        if self.error:
            raise self.error
        return {each: each in self.manifests for each in self.parts}

    def snapshots(self):
        signature = dict.fromkeys([SIGNATURE], 64)
        return tuple(
            ListedSnapshot(
                each,
                {name: len(content) for name, content in parts.items()}
                | (signature if each in self.manifests else {}),
            )
            for each, parts in self.parts.items()
        )

    def signed(self, ids):
        return {each: self.manifests[each] for each in ids if each in self.manifests}

    def digest(self, snapshot, part, most):
        if part not in self.parts[snapshot]:
            raise HaplaneError(f"{part} is not in the bucket")
        content = self.parts[snapshot][part]
        return sha256(content), len(content)

    def delete(self, snapshot):
        del self.parts[snapshot]


@pytest.fixture
def executor():
    """Members whose snapshots are in memory, by name."""
    made = FakeExecutor()
    made.kept = {name: MemoryPlace(name) for name in ("m1", "m2", "m3")}
    made.stored_snapshots = lambda member, directory: made.kept[member.name]
    made.signing_key = INVENTORY.cluster.snapshots.signing_key
    made.run = lambda master, *words: signing_key_pem(made.signing_key)
    return made


@pytest.fixture
def places(executor, monkeypatch):
    """A member and the bucket, which both have the same three."""
    made = [manifest(minutes) for minutes in (1, 2, 3)]
    member, bucket = MemoryPlace("m2", *made), MemoryPlace("bucket", *made)
    executor.kept["m2"] = member
    for module in (recovery_places, workflow):
        monkeypatch.setattr(module, "bucket_of", lambda inventory: bucket)
        monkeypatch.setattr(module, "Bucket", lambda store: store)
    return member, bucket


@pytest.fixture
def listed(executor):
    return partial(workflow.list_snapshots, INVENTORY, silent, executor=executor)


@pytest.fixture
def verified(executor):
    return lambda wanted="latest", given=INVENTORY: verifying.verify_snapshot(
        given, wanted, None, silent, executor=executor
    )


@pytest.fixture
def planned(executor):
    return lambda given=INVENTORY: workflow.plan_pruning(given, silent, executor=executor)


def newest(place):
    return max(place.parts)


def test_the_list_merges_places_newest_first(places, listed):
    member, _ = places
    del member.parts[newest(member)]
    listing = listed()
    assert [one.where for one in listing.snapshots] == [("bucket",), ("m2", "bucket"), ("m2", "bucket")]
    assert all(one.verified for one in listing.snapshots)
    assert [listed.id for listed in listing.snapshots] == sorted((one.id for one in listing.snapshots), reverse=True)


def test_a_forged_one_is_not_verified(places, listed):
    _, bucket = places
    forged = MemoryPlace("bucket", manifest(0), key=Ed25519PrivateKey.generate())
    bucket.parts |= forged.parts
    bucket.manifests |= forged.manifests
    newest_listed = listed().snapshots[0]
    assert not newest_listed.verified
    assert "signature" in newest_listed.problem


def test_one_without_quorum_is_listed_and_not_verified(places, listed):
    member, _ = places
    alone = manifest(0, quorum=False)
    member.parts[alone.id], member.manifests[alone.id] = dict(PARTS), MemoryPlace("m2", alone).manifests[alone.id]
    newest_listed = listed().snapshots[0]
    assert (newest_listed.verified, newest_listed.problem) == (False, None)


def test_a_place_that_does_not_respond_is_named_and_no_place_at_all_is_an_error(places, executor, listed):
    member, bucket = places
    bucket.error = HaplaneError("the bucket is gone")
    listing = listed()
    assert listing.unread == {"bucket": "the bucket is gone"}
    assert listing.exit_code == 6
    for name in ("m1", "m2", "m3"):
        executor.kept[name].error = HaplaneError("off")
    with pytest.raises(Unreachable):
        listed()


def test_whole_copies_are_verified(places, verified):
    found = verified(manifest(1).id)
    assert [(copy.place, copy.problem) for copy in found.copies] == [("m2", None), ("bucket", None)]
    assert found.exit_code == 0


def test_a_latest_one_that_is_old_is_not_the_one_that_should_be_there(places, executor, verified):
    assert verified("latest").exit_code == 0
    executor.sleep(600)
    found = verified("latest")
    assert found.exit_code == 6
    assert "newer ones should be there" in found.problem


@pytest.mark.parametrize("part", [PAYLOAD, KEYS])
def test_a_swapped_part_is_found(places, part, verified):
    _, bucket = places
    bucket.parts[newest(bucket)][part] = b"swapped"
    found = verified()
    assert found.exit_code == 6
    assert [copy.place for copy in found.copies if copy.problem] == ["bucket"]
    assert f"{part} is not what was signed" in found.copies[1].problem


def test_a_deleted_part_and_a_deleted_snapshot_are_found(places, verified):
    _, bucket = places
    last = newest(bucket)
    del bucket.parts[last][PAYLOAD]
    assert "not in the bucket" in verified().copies[1].problem
    del bucket.parts[last], bucket.manifests[last]
    found = verified(last)
    assert "not there" in found.copies[1].problem
    assert found.exit_code == 6


def test_an_old_one_under_a_new_name_is_found(places, verified):
    _, bucket = places
    older, last = sorted(bucket.parts)[-2:]
    bucket.manifests[last] = bucket.manifests[older]
    assert "another snapshot" in verified().copies[1].problem


def test_an_unknown_id_is_bad_input(places, verified):
    with pytest.raises(BadInput, match="no such snapshot"):
        verified("20200101T000000Z-m1-r1")


def test_pruning_removes_what_the_retention_does_not_keep_and_nothing_foreign(places, planned):
    _, bucket = places
    foreign = MemoryPlace("bucket", manifest(60 * 24 * 400), key=Ed25519PrivateKey.generate())
    bucket.parts |= foreign.parts
    bucket.manifests |= foreign.manifests
    half, fresh = manifest(60 * 25).id, manifest(60 * 23).id
    bucket.parts |= {half: {PAYLOAD: b""}, fresh: {PAYLOAD: b""}}
    pruning = planned()
    assert pruning.removable == (manifest(3).id,)
    assert pruning.abandoned == (half,)
    assert set(pruning.unsigned) == set(foreign.parts)
    assert pruning.left_alone == {}
    done = workflow.prune(INVENTORY, pruning, silent)
    assert set(done.removed) == {manifest(3).id, half}
    assert set(bucket.parts) == {manifest(1).id, manifest(2).id, fresh, *foreign.parts}


def test_the_newest_verified_one_stays_whatever_came_after_it(places, planned):
    _, bucket = places
    for minutes in range(-5, 1):
        alone = manifest(minutes, quorum=False)
        bucket.parts[alone.id] = dict(PARTS)
        bucket.manifests[alone.id] = MemoryPlace("bucket", alone).manifests[alone.id]
    assert manifest(1).id in planned().kept


def put(place, *manifests, key=None, **parts):
    """As the members sign them, or with that key."""
    made = MemoryPlace(place.name, *manifests, key=key or KEY)
    for each in manifests if key is None else ():
        private, signer = member_key(each.member)
        content = replace(each, signer=signer).to_bytes()
        made.manifests[each.id] = Signed(content, private.sign(content))
    place.parts |= {each: dict(PARTS, **parts) for each in made.parts}
    place.manifests |= made.manifests


def in_the_future(seconds, member="m3", revision=5):
    return manifest(-60 * 24 * 365 * 50 - seconds / 60, revision, member=member)


def test_signed_ones_from_the_future_are_shown_and_neither_chosen_nor_counted(places, listed, verified, planned):
    _, bucket = places
    put(bucket, *(in_the_future(seconds) for seconds in range(60)))
    [first, *_] = listed().snapshots
    assert "in the future" in first.problem
    assert verified().manifest.id == manifest(1).id
    assert "in the future" in next(iter(verified().passed_over.values()))
    with pytest.raises(Refused, match="cannot be restored"):
        verified(first.id)
    pruning = planned()
    assert pruning.kept == (manifest(1).id, manifest(2).id)
    assert len(pruning.left_alone) == 60


def test_a_signed_one_of_an_absurd_revision_is_shown_and_neither_chosen_nor_counted(
    places, listed, verified, planned
):
    """By one stolen key: every restore after it would raise the cluster's revision above that."""
    _, bucket = places
    put(bucket, manifest(0, revision=(1 << 63) - 1, member="m3"))
    [first, *_] = listed().snapshots
    assert "no cluster reaches" in first.problem
    assert verified().manifest.id == manifest(1).id
    with pytest.raises(Refused, match="cannot be restored"):
        verified(first.id)
    assert list(planned().left_alone) == [first.id]


def test_the_latest_is_that_of_the_highest_revision(places, verified):
    _, bucket = places
    put(bucket, manifest(0, revision=3, member="m1"))
    assert verified().manifest.id == manifest(1).id


def test_manifests_without_a_payload_of_the_signed_size_take_nobodys_place(places, planned):
    _, bucket = places
    small, none = manifest(0.5, member="m1"), manifest(0.6, member="m1")
    put(bucket, small, none, **{PAYLOAD: b"x"})
    del bucket.parts[none.id][PAYLOAD]
    pruning = planned()
    assert pruning.kept == (manifest(1).id, manifest(2).id)
    assert "has 1 bytes, 7 were signed" in pruning.left_alone[small.id]
    assert "is missing" in pruning.left_alone[none.id]


def test_a_flood_of_one_member_removes_nothing_of_anothers_history(places, planned):
    _, bucket = places
    put(bucket, *(manifest(-seconds / 60, member="m3") for seconds in range(1, 60)))
    pruning = planned()
    assert pruning.members == {
        "signed with a shared key": {"kept": 2, "removed": 1},
        "m3": {"kept": 2, "removed": 57},
    }
    assert pruning.removes_most


def test_a_revoked_key_counts_for_nothing_and_one_more_edit_brings_nothing_back(places, executor, verified, planned):
    _, bucket = places
    put(bucket, manifest(0, revision=99, member="m3"), manifest(0.5, revision=98, member="m1"))
    assert verified().manifest.id == manifest(0, revision=99, member="m3").id
    key = SignerStatement.parse(member_key("m3")[1].statement).key
    snapshots = INVENTORY.cluster.snapshots.model_copy(update={"revoked_signing_keys": (key,)})
    given = INVENTORY.model_copy(update={"cluster": INVENTORY.cluster.model_copy(update={"snapshots": snapshots})})
    chosen = verified("latest", given).manifest
    assert chosen.id == manifest(0.5, revision=98, member="m1").id
    [first, *_] = workflow.list_snapshots(given, silent, executor=executor).snapshots
    assert "revoked" in first.problem
    assert list(planned(given).left_alone) == [first.id]


def test_a_member_that_is_no_more_displaces_no_other_former_members_history(places, planned):
    """A decommissioned host's key is still certified: its flood was one history with what the others had left."""
    _, bucket = places
    put(bucket, *(manifest(minutes, member="old1") for minutes in (20, 21)))
    put(bucket, *(manifest(10 - seconds / 60, member="old2") for seconds in range(60)))
    members = planned().members
    assert members["old1"] == {"kept": 2, "removed": 0}
    assert members["old2"] == {"kept": 2, "removed": 58}


def test_unsigned_ones_hide_no_real_one(places, listed, verified):
    _, bucket = places
    put(bucket, *(in_the_future(seconds) for seconds in range(100)), key=Ed25519PrivateKey.generate())
    listing = listed(most=2)
    assert [one.id for one in listing.snapshots if one.verified] == [manifest(1).id, manifest(2).id]
    assert len(listing.snapshots) == 4
    assert listing.hidden == 98
    assert verified().manifest.id == manifest(1).id


def test_what_nobody_of_the_cluster_signed_goes_on_a_word_of_its_own_only(places, listed, verified, planned):
    _, bucket = places
    junk = [manifest(minutes) for minutes in range(-30, 0)]
    put(bucket, *junk, key=Ed25519PrivateKey.generate())
    ahead = in_the_future(0).id
    bucket.parts[ahead] = {PAYLOAD: b""}
    assert [one.id for one in listed(most=2).snapshots if one.verified] == [
        manifest(1).id,
        manifest(2).id,
    ]
    assert verified().manifest.id == manifest(1).id
    pruning = planned()
    assert set(pruning.unsigned) == {one.id for one in junk}
    assert pruning.abandoned == (ahead,)
    assert set(workflow.prune(INVENTORY, pruning, silent).removed) == {manifest(3).id, ahead}
    pruning = planned()
    assert set(workflow.prune(INVENTORY, pruning, silent, unsigned=True).removed) == {one.id for one in junk}
    assert set(bucket.parts) == {manifest(1).id, manifest(2).id}


def test_what_is_locked_in_the_bucket_keeps_nothing_else_there(places, planned, monkeypatch):
    _, bucket = places
    put(bucket, *(manifest(minutes) for minutes in (4, 5, 6, 7)))
    pruning, locked = planned(), manifest(6).id

    def delete(snapshot):
        if snapshot == locked or refuse_all:
            raise HaplaneError("the S3 server refused the request", why="HTTP 409, ObjectLocked")
        del bucket.parts[snapshot]

    monkeypatch.setattr(bucket, "delete", delete)
    refuse_all = False
    done = workflow.prune(INVENTORY, pruning, silent)
    assert done.removed == tuple(each for each in pruning.removable if each != locked)
    assert done.refused == {locked: "the S3 server refused the request: HTTP 409, ObjectLocked"}
    assert (done.exit_code, pruning.exit_code) == (ExitCode.INCOMPLETE, ExitCode.DONE)
    refuse_all = True
    with pytest.raises(HaplaneError, match="refused the request"):
        workflow.prune(INVENTORY, pruning, silent)


def test_nothing_is_pruned_while_the_inventory_lacks_the_clusters_key(places, executor, planned):
    """After a rotation every new snapshot was offered as unsigned."""
    executor.signing_key = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    with pytest.raises(Refused, match=r"nothing was removed[\s\S]*previous_signing_keys") as refusal:
        planned()
    assert executor.signing_key in str(refusal.value)


def test_nothing_is_pruned_while_a_masters_key_cannot_be_compared_with_the_inventorys(executor, planned):
    """A damaged signing.pub was a master that is not reachable, and nothing of it was compared."""
    honest = executor.run
    executor.run = lambda host, *words: b"-----BEGIN" if host.name == "m2" else honest(host, *words)
    with pytest.raises(Refused, match=r"nothing was removed[\s\S]*m2"):
        planned()
    executor.run = lambda host, *words: b"-----BEGIN"
    snapshots = INVENTORY.cluster.snapshots.model_copy(update={"signing_key": None})
    given = INVENTORY.model_copy(update={"cluster": INVENTORY.cluster.model_copy(update={"snapshots": snapshots})})
    with pytest.raises(Unreachable, match="no snapshot can be verified") as unknown:
        planned(given)
    assert "m1: not a usable public key" in unknown.value.why


def test_nothing_is_kept_in_memory_but_what_was_parsed_of_signed_ones():
    """One signed manifest, padded to 64 KiB and stored under any number of ids, counted for all of them."""
    junk, padded = manifest(1), manifest(2)
    private, signer = member_key("m3")
    content = replace(padded, signer=signer).to_bytes().ljust(64 << 10)
    place = MemoryPlace("bucket")
    place.manifests = {junk.id: Signed(b"x" * (64 << 10), b"y" * 64)} | {
        manifest(minutes).id: Signed(content, private.sign(content)) for minutes in range(2, 9)
    }
    revoked = SignerStatement.parse(signer.statement).key
    for gone in (frozenset(), frozenset({revoked})):
        keys = SigningKeys((INVENTORY.cluster.snapshots.signing_key,), gone)
        read = read_signed(place, list(place.manifests), Standard(keys, "test", NOW))
        assert len(pickle.dumps(read)) < 32 << 10
        assert [one.ours for one in read.values()] == [False, True, *[False] * 6]


def test_a_place_is_read_within_bounds(places, listed, monkeypatch):
    _, bucket = places
    monkeypatch.setattr(catalog, "MOST_IDS", 5)
    put(bucket, *(manifest(minutes, member="m3") for minutes in range(20, 40)))
    found = listed()
    assert "the newest 5 were read" in found.unread["bucket"]
    monkeypatch.setattr(entries, "READ_SECONDS", -1)
    assert "within -1 s" in listed().unread["bucket"]


def read_flooded(monkeypatch, place, **asked):
    monkeypatch.setattr(catalog, "MOST_IDS", 5)
    keys = SigningKeys((INVENTORY.cluster.snapshots.signing_key,))
    return catalog.read_catalog([place], Standard(keys, "test", NOW), remedy="-", **asked)


@pytest.mark.parametrize("how", ["only", "named"])
def test_any_number_of_fakes_hides_no_snapshot_that_is_named(monkeypatch, how):
    """More than 20,000 ids hid the one that an operator knew by its id."""
    real = manifest(40)
    bucket = MemoryPlace("bucket", real)
    fakes = [manifest(minutes, member="m3").id for minutes in range(30)]
    bucket.parts |= dict.fromkeys(fakes, PARTS)
    assert min(fakes) > real.id
    assert read_flooded(monkeypatch, bucket).usable == ()
    found = read_flooded(monkeypatch, bucket, **{how: real.id})
    assert [one.manifest.id for one in found.usable] == [real.id]
    assert "the newest 5 were read" in found.unread["bucket"]


def test_fakes_of_the_future_hide_no_real_one(monkeypatch):
    real = manifest(40)
    bucket = MemoryPlace("bucket", real)
    bucket.parts |= {f"2099010{day}T000000Z-m1-r1": PARTS for day in range(1, 10)}
    found = read_flooded(monkeypatch, bucket)
    assert [one.manifest.id for one in found.usable] == [real.id]
    assert "it has 10 snapshots" in found.unread["bucket"]


def test_one_that_is_named_is_found_in_a_bucket_that_lists_only_a_part(monkeypatch):
    real = manifest(40)
    bucket = Bucket(MemoryPlace("store", real))
    bucket.signed = bucket.store.signed
    bucket.store.unlisted, bucket.store.parts = "too much", {}
    assert read_flooded(monkeypatch, bucket, named="../../x").usable == ()
    assert [one.manifest.id for one in read_flooded(monkeypatch, bucket, named=real.id).usable] == [real.id]
