"""What is believed of a snapshot: what the cluster signed, of that very snapshot, and nothing else."""

import base64
import hashlib
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haplane.agent.manifest import KEYS, PAYLOAD, Manifest, SealedKeys
from haplane.errors import HaplaneError, Refused
from haplane.snapshots.opening import decrypt_database, fetch
from haplane.snapshots.signatures import SigningKeys, authentic_manifest

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
DATABASE = b"database" * 1000
MANIFEST = Manifest(
    id="20260701T120000Z-m2-r7", cluster="test", uid=None, member="m2", taken_at=datetime(2026, 7, 1, 12, tzinfo=UTC),
    revision=7, quorum_revision=6, key_count=3, database_sha256=hashlib.sha256(DATABASE).hexdigest(),
    database_bytes=len(DATABASE), payload_sha256="0" * 64, payload_bytes=1, etcd_version="3.6.16",
    kubernetes_version=None, keys=SealedKeys("f" * 64, "0" * 64),
)  # fmt: skip


def believed(manifest=MANIFEST, key=KEY, snapshot=MANIFEST.id, changed=False):
    content = manifest.to_bytes()
    signature = key.sign(content)
    content = content.replace(b'"key_count":3', b'"key_count":4') if changed else content
    return authentic_manifest(
        content, signature, keys=SigningKeys((PUBLIC,)), snapshot=snapshot, cluster="test", where="bucket: x"
    )


def test_what_the_cluster_signed_is_believed():
    assert believed() == MANIFEST


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"key": OTHER}, "signature is not the cluster's"),
        ({"changed": True}, "signature is not the cluster's"),
        ({"snapshot": "20260701T130000Z-m2-r7"}, "another snapshot"),
        ({"manifest": replace(MANIFEST, cluster="other")}, "another snapshot"),
    ],
)
def test_anything_else_is_refused(arguments, what):
    with pytest.raises(Refused, match=what):
        believed(**arguments)


@pytest.fixture
def payload(tmp_path):
    """Made as on a host: zstd, then age."""

    def make(identity, database=DATABASE):
        packed = subprocess.run(["zstd", "-q", "-c"], input=database, capture_output=True, check=True).stdout
        path = tmp_path / "payload"
        path.write_bytes(pyrage.encrypt(packed, [identity.to_public()]))
        return path

    return make


def test_the_database_comes_out_as_it_went_in(payload, tmp_path):
    identity = pyrage.x25519.Identity.generate()
    path = decrypt_database(payload(identity), MANIFEST, [pyrage.x25519.Identity.generate(), identity], tmp_path)
    assert path.read_bytes() == DATABASE


def test_another_identity_or_another_database_is_refused(payload, tmp_path):
    identity, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    with pytest.raises(Refused, match="identity does not decrypt"):
        decrypt_database(payload(identity), MANIFEST, [stranger], tmp_path)
    with pytest.raises(Refused, match="not the one that was taken"):
        decrypt_database(payload(identity, b"swapped"), MANIFEST, [identity], tmp_path)
    path = payload(identity)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(Refused, match="does not decrypt"):
        decrypt_database(path, MANIFEST, [identity], tmp_path)


class Place:
    """Gives what it likes; ``asked`` is how much it may."""

    name = "bucket"

    def __init__(self, content):
        self.content, self.asked = content, None

    def download(self, snapshot, part, target, most):
        self.asked = most
        target.write_bytes(self.content)


def test_what_unpacks_to_more_than_was_signed_is_refused_while_it_is_read(payload, tmp_path):
    identity = pyrage.x25519.Identity.generate()
    bomb = payload(identity, bytes(64 << 20))
    with pytest.raises(Refused, match="unpacks to more than was signed"):
        decrypt_database(bomb, MANIFEST, [identity], tmp_path)
    assert (tmp_path / "snapshot.db").stat().st_size <= len(DATABASE)


def test_an_unsigned_size_that_no_disk_holds_is_refused_before_anything_is_written(payload, tmp_path):
    identity = pyrage.x25519.Identity.generate()
    with pytest.raises(Refused, match="not enough free space"):
        decrypt_database(payload(identity), replace(MANIFEST, database_bytes=1 << 62), [identity], tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["payload"]


def test_what_cannot_be_stored_here_says_so(tmp_path):
    """As a full disk does; it was an unexpected error."""
    with pytest.raises(HaplaneError, match=r"cannot be stored on this machine[\s\S]*TMPDIR"):
        fetch(Place(b"sealed"), MANIFEST, KEYS, tmp_path / "absent")


def test_what_is_fetched_is_hashed_and_no_larger_than_signed(tmp_path):
    place = Place(b"something else")
    with pytest.raises(Refused, match="is not what was signed"):
        fetch(place, replace(MANIFEST, payload_bytes=7), PAYLOAD, tmp_path)
    assert place.asked == 7
    assert list(tmp_path.iterdir()) == []
    manifest = replace(MANIFEST, keys=SealedKeys("f" * 64, hashlib.sha256(b"sealed").hexdigest()))
    place = Place(b"sealed")
    assert fetch(place, manifest, KEYS, tmp_path).read_bytes() == b"sealed"
    assert place.asked == 16 << 20
