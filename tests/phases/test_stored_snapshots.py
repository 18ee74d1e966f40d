"""Every kind of bad snapshot, with a message of its own; a real etcd tries the good one out."""

import base64
import dataclasses
import io
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
import samples
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from haplane.bundle.compress import file_sha256
from haplane.domain.progress import silent
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.phases.stored_snapshots import Shelf, Stored, copied_snapshot, judge, open_stored
from haplane.snapshots.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE, Manifest, SealedKeys, SnapshotId
from haplane.snapshots.places import Signed
from haplane.sources.database import NAMESPACE
from haplane.sources.directory import Directory
from haplane.sources.scratch import scratch_etcd

UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"
ETCD = "3.6.16"
SIGNING = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(SIGNING.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
OPERATOR = pyrage.x25519.Identity.generate()
SNAPSHOTS = {"recipients": [str(OPERATOR.to_public())], "signing_key": PUBLIC}


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.fixture(scope="module")
def database(tools, tmp_path_factory):
    """An etcd snapshot with the one object that makes it a cluster's."""
    directory = tmp_path_factory.mktemp("database")
    namespace = b"k8s\x00" + field(2, field(1, field(1, b"kube-system") + field(5, UID.encode())))
    with scratch_etcd(tools, directory / "data") as etcd:
        command = [tools.path("etcdctl"), "--endpoints", etcd.endpoint, "put", NAMESPACE]
        subprocess.run(command, input=namespace, check=True, capture_output=True)
        etcd.save(directory / "snapshot.db")
    return directory / "snapshot.db"


def sealed_keys():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in samples.identity().to_files().items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def made(database, tmp_path):
    """Makes a snapshot's directory as a member does, its manifest with these changes."""

    def make(**changes) -> Path:
        packed = tmp_path / "packed.zst"
        subprocess.run(["zstd", "-q", "-f", str(database), "-o", str(packed)], check=True)
        taken_at = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
        directory = tmp_path / str(SnapshotId(taken_at, "m2", 2))
        directory.mkdir()
        (directory / PAYLOAD).write_bytes(pyrage.encrypt(packed.read_bytes(), [OPERATOR.to_public()]))
        (directory / KEYS).write_bytes(pyrage.encrypt(sealed_keys(), [OPERATOR.to_public()]))
        manifest = Manifest(
            id=directory.name, cluster="test", uid=UID, member="m2", taken_at=taken_at, revision=2, quorum_revision=2,
            key_count=1, database_sha256=file_sha256(database), database_bytes=database.stat().st_size,
            payload_sha256=file_sha256(directory / PAYLOAD), payload_bytes=(directory / PAYLOAD).stat().st_size,
            etcd_version=ETCD, kubernetes_version="1.35.4", keys=SealedKeys("x", file_sha256(directory / KEYS)),
        )  # fmt: skip
        content = dataclasses.replace(manifest, **changes).to_bytes()
        (directory / MANIFEST).write_bytes(content)
        (directory / SIGNATURE).write_bytes(SIGNING.sign(content))
        return directory

    return make


@pytest.fixture
def identity(tmp_path):
    file = tmp_path / "identity.txt"
    file.write_text(f"{OPERATOR}\n")
    return file


def opened(directory, identity, tools, **inventory):
    inventory = samples.inventory(snapshots=SNAPSHOTS | inventory)
    stored = copied_snapshot(directory, inventory, unsigned=False)
    return open_stored(stored, identity, tools, ETCD, silent)


def test_a_good_one_gives_its_database_and_the_keys_of_the_cluster(made, identity, tools):
    found = opened(made(), identity, tools)
    assert (found.database.uid, found.database.revision, found.database.keys) == (UID, 2, 1)
    assert found.identity == samples.identity()


def spoil(directory, part):
    content = bytearray((directory / part).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / part).write_bytes(content)


def cut(directory, part):
    (directory / part).write_bytes((directory / part).read_bytes()[:-100])


BAD = {
    "a changed database": ({}, lambda each: spoil(each, PAYLOAD), f"{PAYLOAD} is not what was signed"),
    "a database cut short": ({}, lambda each: cut(each, PAYLOAD), f"{PAYLOAD} is not what was signed"),
    "changed keys": ({}, lambda each: spoil(each, KEYS), f"{KEYS} is not what was signed"),
    "a changed manifest": ({}, lambda each: spoil(each, MANIFEST), "signature is not the cluster's"),
    "another cluster's": ({"cluster": "other"}, None, "another snapshot than its place says"),
    "a newer etcd's": ({"etcd_version": "3.7.0"}, None, "made by etcd 3.7.0"),
    "another database's": ({"database_sha256": "0" * 64}, None, "not the one that was taken"),
    "another cluster's data": ({"uid": "1" * 36}, None, "of another cluster than its manifest says"),
    "fewer keys than signed": ({"key_count": 7}, None, "not what its manifest says"),
    "nothing in it": ({}, lambda each: (each / PAYLOAD).write_bytes(b""), f"{PAYLOAD} is not what was signed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_one_is_refused_by_a_message_of_its_own(made, identity, tools, kind):
    changes, damage, message = BAD[kind]
    directory = made(**changes)
    if damage is not None:
        damage(directory)
    with pytest.raises(Refused, match=message):
        opened(directory, identity, tools)


def test_a_stranger_who_can_write_cannot_make_one(made, identity, tools):
    other = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    with pytest.raises(Refused, match="signature is not the cluster's"):
        opened(made(), identity, tools, signing_key=other.decode())


def test_the_wrong_identity_and_none_are_told_apart(made, tmp_path, tools):
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    directory = made()
    with pytest.raises(Refused, match="identity does not decrypt"):
        opened(directory, wrong, tools)
    with pytest.raises(BadInput, match="is encrypted"):
        opened(directory, None, tools)


def test_latest_is_the_newest_that_was_taken_with_quorum_and_the_next_older_one_is_known(made, tmp_path):
    newest = Manifest.from_bytes((made() / MANIFEST).read_bytes(), "x")
    older = dataclasses.replace(newest, taken_at=datetime(2026, 11, 22, 18, 0, tzinfo=UTC))
    alone = dataclasses.replace(newest, quorum_revision=None)
    shelf = Shelf((Stored(alone, ()), Stored(newest, ()), Stored(older, ())), {})
    assert shelf.choose(None).manifest == shelf.choose("latest").manifest == newest
    assert shelf.older(newest).manifest == older
    with pytest.raises(BadInput, match="no such snapshot"):
        shelf.choose("20200101T000000Z-m1-r1")


def test_copies_that_nobody_signed_are_doubts(made):
    directory = made()
    place = Directory(directory)
    good = place.signed([directory.name])
    forged = {directory.name: Signed(good[directory.name].manifest + b" ", good[directory.name].signature)}
    shelf = judge([place], {place.name: forged}, PUBLIC, "test", {})
    assert not shelf.snapshots
    assert "signature" in next(iter(shelf.doubts.values()))
    assert judge([place], {place.name: good}, PUBLIC, "test", {}).choose(None).places == (place,)


def test_a_part_that_is_absent_is_an_error_of_its_own(made, identity, tools):
    directory = made()
    (directory / KEYS).unlink()
    with pytest.raises(HaplaneError, match="absent"):
        opened(directory, identity, tools)
