"""Every reason for which a restore and `snapshot verify` alike refuse a snapshot; a real etcd restores a good one."""

import base64
import dataclasses
import io
import re
import subprocess
import tarfile
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pyrage
import pytest
import samples
from contexts import FakeExecutor
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from haplane.agent.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE, Manifest, SealedKeys, SnapshotId
from haplane.bundle.compress import file_sha256
from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.candidates import newest_stored
from haplane.recovery.cluster_keys import refuse_another_cluster
from haplane.recovery.context import RestoreContext
from haplane.recovery.data_age import refuse_old
from haplane.recovery.database import NAMESPACE, ROOT_CA
from haplane.recovery.opening import open_and_verify
from haplane.recovery.places import copied_snapshot
from haplane.recovery.request import RestoreRequest
from haplane.recovery.same_cluster import ClusterMark
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.snapshots.catalog import SnapshotCatalog
from haplane.snapshots.directory import Directory
from haplane.snapshots.entries import Copies, Standard, assess_copies, read_signed
from haplane.snapshots.places import Signed
from haplane.snapshots.signatures import SigningKeys
from haplane.workflows import verify_snapshot

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
    """An etcd snapshot with the objects that make it a cluster's."""
    directory = tmp_path_factory.mktemp("database")
    namespace = b"k8s\x00" + field(2, field(1, field(1, b"kube-system") + field(5, UID.encode())))
    with scratch_etcd(tools, directory / "data") as etcd:
        for key, value in ((NAMESPACE, namespace), (ROOT_CA, samples.identity().kubernetes.certificate)):
            command = [tools.path("etcdctl"), "--endpoints", etcd.endpoint, "put", key]
            subprocess.run(command, input=value, check=True, capture_output=True)
        etcd.save(directory / "snapshot.db")
    return directory / "snapshot.db"


def sealed_keys(identity=None):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in (identity or samples.identity()).to_files().items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def made(database, tmp_path):
    """Makes a snapshot's directory as a member does, its manifest with these changes."""

    def make(sealed=None, reader=OPERATOR, **changes) -> Path:
        packed = tmp_path / "packed.zst"
        subprocess.run(["zstd", "-q", "-f", str(database), "-o", str(packed)], check=True)
        taken_at = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
        directory = tmp_path / str(SnapshotId(taken_at, "m2", 3))
        directory.mkdir()
        (directory / PAYLOAD).write_bytes(pyrage.encrypt(packed.read_bytes(), [OPERATOR.to_public()]))
        (directory / KEYS).write_bytes(pyrage.encrypt(sealed or sealed_keys(), [reader.to_public()]))
        manifest = Manifest(
            id=directory.name, cluster="test", uid=UID, member="m2", taken_at=taken_at, revision=3, quorum_revision=3,
            key_count=2, database_sha256=file_sha256(database), database_bytes=database.stat().st_size,
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
    file.touch(0o600)
    file.write_text(f"{OPERATOR}\n")
    return file


def opened(directory, identity, tools, **inventory):
    inventory = samples.inventory(snapshots=SNAPSHOTS | inventory)
    stored = copied_snapshot(directory, inventory, Keeping(directory), unsigned=False)
    return open_and_verify(stored, identity, tools, silent)


def test_a_good_one_gives_its_database_and_the_keys_of_the_cluster(made, identity, tools):
    found = opened(made(), identity, tools)
    assert (found.database.uid, found.database.revision, found.database.keys) == (UID, 3, 2)
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
    "another cluster's": ({"cluster": "other"}, None, "another snapshot than the one"),
    "a newer etcd's": ({"etcd_version": "3.7.0"}, None, "made by etcd 3.7.0"),
    "another database's": ({"database_sha256": "0" * 64}, None, "not the one that was taken"),
    "another cluster's data": ({"uid": "1" * 36}, None, "of another cluster than its manifest"),
    "fewer keys than signed": ({"key_count": 7}, None, "does not match its manifest"),
    "nothing in it": ({}, lambda each: (each / PAYLOAD).write_bytes(b""), f"{PAYLOAD} is not what was signed"),
    "keys for somebody else": ({"reader": pyrage.x25519.Identity.generate()}, None, "does not decrypt the keys"),
    "no keys": ({"sealed": b"no archive"}, None, "sealed keys are damaged"),
    "another cluster's keys": ({"sealed": "OTHER"}, None, "not those of the cluster in the database"),
}


def bad(made, kind):
    """The directory of a snapshot of that kind, and the message that refuses it."""
    changes, damage, message = BAD[kind]
    if changes.get("sealed") == "OTHER":
        changes = {"sealed": sealed_keys(ClusterIdentity.generate("other", datetime.now(UTC)))}
    directory = made(**changes)
    if damage is not None:
        damage(directory)
    return directory, message


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_one_is_refused_by_a_message_of_its_own(made, identity, tools, kind):
    directory, message = bad(made, kind)
    with pytest.raises(Refused, match=message):
        opened(directory, identity, tools)


class Keeping(FakeExecutor):
    """Every member keeps what lies in one directory, and masters report this ``mark``."""

    def __init__(self, directory):
        super().__init__()
        self.directory, self.mark = directory, ClusterMark(None, None)

    def now(self):
        return datetime.now(UTC)

    def stored_snapshots(self, member, directory):
        return Directory(self.directory)

    def run(self, host, *command, deadline_seconds=60):
        found = self.mark.ca if command == ("cat", host_paths.KUBERNETES_CA_CRT) else (self.mark.uid or "").encode()
        if not found:
            raise HaplaneError("nothing is there")
        return found


class Stored:
    """Restores and verifies what lies in one directory, as members of a cluster keep it."""

    def __init__(self, directory, identity, tools, monkeypatch):
        self.inventory = samples.inventory(snapshots=SNAPSHOTS)
        self.identity, self.tools, self.executor = identity, tools, Keeping(directory)
        monkeypatch.setattr(verify_snapshot, "load_manifest", lambda *_: None)
        monkeypatch.setattr(verify_snapshot, "etcd_tools", lambda *_: nullcontext(tools))

    def running(self, ca=None, uid=None):
        """Of the cluster that runs, masters report this."""
        self.executor.mark = ClusterMark(ca, uid)

    @property
    def mark(self):
        return self.executor.mark

    def restore(self, wanted, **request):
        """What ``haplane restore --snapshot`` does before it shows its plan."""
        observation = samples.fresh(self.inventory)
        known = samples.converged(self.inventory).reports["m1"].kubernetes.model_dump() | {"uid": self.mark.uid}
        certificates = {host_paths.KUBERNETES_CA_CRT: self.mark.ca.decode()} if self.mark.ca else {}
        for name in ("m1", "m2"):
            kubernetes = known if self.mark.uid else None
            observation = samples.altered(observation, name, certificates=certificates, kubernetes=kubernetes)
        asked = RestoreRequest(snapshot=wanted, identity=self.identity, **request)
        context = RestoreContext(asked, self.inventory, observation, datetime.now(UTC), self.tools, self.executor)
        source = newest_stored(context)
        refuse_another_cluster(context, source)
        refuse_old(context, source)
        return source

    def verify(self, wanted):
        """Raises what ``haplane snapshot verify --identity`` refuses, Refused also for its exit code 6."""
        found = verify_snapshot.verify_snapshot(self.inventory, wanted, self.identity, silent, executor=self.executor)
        if found.exit_code:
            raise Refused("; ".join([*(one.problem for one in found.copies if one.problem), found.problem or ""]))
        return found


def test_what_restores_is_verified(made, identity, tools, monkeypatch):
    directory = made()
    stored = Stored(directory, identity, tools, monkeypatch)
    stored.running(samples.identity().kubernetes.certificate, UID)
    source = stored.restore(directory.name, accept_loss=True)
    assert stored.verify(directory.name).database.sha256 == source.database.sha256


@pytest.mark.parametrize("kind", BAD)
def test_verify_refuses_whatever_a_restore_refuses(made, identity, tools, monkeypatch, kind):
    directory, message = bad(made, kind)
    stored = Stored(directory, identity, tools, monkeypatch)
    for attempt in (partial(stored.restore, accept_loss=True), stored.verify):
        with pytest.raises(Refused) as refusal:
            attempt(directory.name)
        assert re.search(message, f"{refusal.value.what} {refusal.value.why}")


NOT_CHOSEN = {
    "no quorum": ({"quorum_revision": None}, "latest", BadInput),
    "an old one": ({}, "latest", Refused),
    "a revoked key": ({}, "id", Refused),
    "a newer Kubernetes": ({"kubernetes_version": "1.36.0"}, "id", Refused),
    "another running cluster's CA": ({}, "id", Refused),
    "another running cluster's UID": ({}, "id", Refused),
    "an unreadable identity": ({}, "id", BadInput),
}


@pytest.mark.parametrize("kind", NOT_CHOSEN)
def test_neither_takes_a_snapshot_that_the_cluster_contradicts(made, identity, tools, monkeypatch, kind):
    changes, wanted, error = NOT_CHOSEN[kind]
    directory = made(**changes)
    stored = Stored(directory, identity, tools, monkeypatch)
    if kind == "a revoked key":
        stored.inventory = samples.inventory(snapshots=SNAPSHOTS | {"revoked_signing_keys": [PUBLIC]})
    elif kind == "an unreadable identity":
        identity.chmod(0o644)
    elif "CA" in kind:
        stored.running(ca=samples.identity().etcd.certificate)
    elif "UID" in kind:
        stored.running(samples.identity().kubernetes.certificate, "1" * 8 + UID[8:])
    given = {} if kind == "an old one" else {"accept_loss": True}
    for attempt in (partial(stored.restore, **given), stored.verify):
        with pytest.raises(error):
            attempt(directory.name if wanted == "id" else wanted)


def test_who_can_only_write_cannot_make_one(made, identity, tools):
    other = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    with pytest.raises(Refused, match="signature is not the cluster's"):
        opened(made(), identity, tools, signing_key=other.decode())


def test_the_wrong_identity_and_none_are_told_apart(made, tmp_path, tools):
    wrong = tmp_path / "wrong.txt"
    wrong.touch(0o600)
    wrong.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    directory = made()
    with pytest.raises(Refused, match="identity does not decrypt"):
        opened(directory, wrong, tools)
    with pytest.raises(BadInput, match="is encrypted"):
        opened(directory, None, tools)


def test_latest_is_the_newest_that_was_taken_with_quorum_and_the_next_older_one_is_known(made):
    directory = made()
    place = Directory(directory)
    newest = Manifest.from_bytes((directory / MANIFEST).read_bytes(), "x")
    older = another(newest, datetime(2026, 11, 22, 18, 0, tzinfo=UTC), 2)
    alone = another(newest, datetime(2026, 11, 22, 20, 0, tzinfo=UTC), 4, quorum_revision=None)
    found = catalog(place, signed(newest, older, alone))
    assert found.choose(None).manifest == found.choose("latest").manifest == newest
    assert found.choose(alone.id).manifest == alone
    assert found.older(newest).manifest == older
    with pytest.raises(BadInput, match="no such snapshot"):
        found.choose("20200101T000000Z-m1-r1")


def test_copies_that_nobody_signed_are_problems(made):
    directory = made()
    place = Directory(directory)
    good = place.signed([directory.name])
    forged = {directory.name: Signed(good[directory.name].manifest + b" ", good[directory.name].signature)}
    found = catalog(place, forged)
    assert not found.usable
    assert "signature" in found.problems[directory.name]
    with pytest.raises(Refused, match="cannot be restored") as refused:
        found.choose(directory.name)
    assert "signature" in refused.value.why
    assert catalog(place, good).choose(None).places == (place,)


def catalog(place, copies, now=datetime(2026, 11, 28, tzinfo=UTC)):
    standard = Standard(SigningKeys((PUBLIC,)), "test", now)
    read = read_signed(SimpleNamespace(name=place.name, signed=lambda _: copies), list(copies), standard)
    found = Copies([place], {place.name: dict.fromkeys(copies, True)}, {place.name: read})
    return SnapshotCatalog(assess_copies(found, standard), {}, now)


def another(of, taken_at, revision, **changes):
    fields = {"taken_at": taken_at, "revision": revision, "quorum_revision": revision} | changes
    return dataclasses.replace(of, id=str(SnapshotId(taken_at, "m2", revision)), **fields)


def signed(*manifests):
    return {one.id: Signed(one.to_bytes(), SIGNING.sign(one.to_bytes())) for one in manifests}


def test_latest_goes_by_revision_and_the_future_is_refused_by_name(made):
    directory = made()
    place = Directory(directory)
    now = Manifest.from_bytes((directory / MANIFEST).read_bytes(), "x")
    low = another(now, datetime(2026, 11, 22, 20, 0, tzinfo=UTC), 1)
    late = another(now, datetime(2099, 1, 1, tzinfo=UTC), 5)
    found = catalog(place, signed(now, low, late))
    assert found.choose("latest").manifest == now
    assert [one.manifest.id for one in found.usable] == [now.id, low.id]
    with pytest.raises(Refused, match="cannot be restored") as refused:
        found.choose(late.id)
    assert "in the future" in refused.value.why


def test_a_part_that_is_absent_is_an_error_of_its_own(made, identity, tools):
    directory = made()
    (directory / KEYS).unlink()
    with pytest.raises(HaplaneError, match="missing"):
        opened(directory, identity, tools)
