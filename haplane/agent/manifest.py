"""The manifest of a snapshot, and the names of its parts.

A snapshot is the directory ``DIRECTORY/ID/`` on its member and the objects ``[PREFIX/]CLUSTER/ID/`` in the bucket,
with the four parts below. The signature is written last: a directory without one is not a snapshot.

Manifests are read from hosts and buckets, so :meth:`Manifest.from_bytes` checks every field; the signature is
verified over the bytes that were read, before they are parsed.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from haplane.domain.retention import Taken
from haplane.errors import Refused

PAYLOAD = "snapshot.db.zst.age"
KEYS = "keys.age"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
PARTS = (PAYLOAD, KEYS, MANIFEST, SIGNATURE)

FORMAT, CERTIFIED_FORMAT = 1, 2
"""1: signed with the cluster's own key, which every member had. 2: with a member's, which ``signer`` certifies."""

MAX_BYTES = 64 * 1024
"""No manifest is larger; readers stop there."""
MOST_BYTES: Mapping[str, int] = {KEYS: 16 << 20, MANIFEST: MAX_BYTES, SIGNATURE: 64}
"""How much of a part is read at most; of the payload it is the size in its signed manifest."""

ID = re.compile(
    r"(?P<time>\d{8}T\d{6}Z)-(?P<member>[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)-r(?P<revision>\d{1,19})", re.ASCII
)
SHA256 = re.compile(r"[0-9a-f]{64}")
TIME = "%Y%m%dT%H%M%SZ"
LARGEST_NUMBER = (1 << 63) - 1

T = TypeVar("T")


@dataclass(frozen=True)
class SnapshotId:
    """``20261122T184500Z-m2-r12345``: when (UTC), by whom, at which revision. The text sorts by time."""

    taken_at: datetime
    member: str
    revision: int

    def __str__(self) -> str:
        return f"{self.taken_at.astimezone(UTC).strftime(TIME)}-{self.member}-r{self.revision}"

    @classmethod
    def parse(cls, text: str) -> SnapshotId:
        """Raises Refused for text that is not an id: only an id may become part of a path.

        An id is what :meth:`__str__` writes: a real date, a revision of etcd's without leading zeros.
        """
        found = ID.fullmatch(text)
        try:
            if found is None:
                raise ValueError("not TIME-MEMBER-rREVISION")
            taken_at = datetime.strptime(found["time"], TIME).replace(tzinfo=UTC)
            parsed = cls(taken_at, found["member"], int(found["revision"]))
            if str(parsed) != text or parsed.revision > LARGEST_NUMBER:
                raise ValueError("no snapshot has such a name")
        except ValueError as error:
            raise Refused("this is not the id of a snapshot", where=repr(text[:100]), why=str(error)) from error
        return parsed


def is_snapshot_id(text: str) -> bool:
    """Whether :meth:`SnapshotId.parse` takes it."""
    try:
        SnapshotId.parse(text)
    except Refused:
        return False
    return True


@dataclass(frozen=True)
class SealedKeys:
    """Which sealed keys travel with it: ``fingerprint`` of the keys inside, ``sha256`` of the sealed file."""

    fingerprint: str
    sha256: str


@dataclass(frozen=True)
class Signer:
    """The certification of the key that signed a manifest: its text, and the cluster's signature in base64."""

    statement: str
    signature: str

    @classmethod
    def from_document(cls, document: object) -> Signer:
        """Raises TypeError or ValueError for anything else."""
        if not isinstance(document, dict) or not document.keys() >= {"statement", "signature"}:
            raise TypeError("signer is not {statement, signature}")
        statement, signature = document["statement"], document["signature"]
        if not isinstance(statement, str) or not re.fullmatch(r"[\x20-\x7e\n]{1,1024}", statement):
            raise TypeError("signer's statement is not a short text")
        if not isinstance(signature, str) or not re.fullmatch(r"[A-Za-z0-9+/]{86}==", signature):
            raise TypeError("signer's signature is not one")
        return cls(statement, signature)


@dataclass(frozen=True)
class Manifest:
    """Facts of one snapshot. Sizes in bytes, ``seconds`` by step, ``taken_at`` UTC.

    ``database_*`` are of the file etcdctl saved, with its trailing SHA-256; ``payload_*`` of what zstd and age made
    of it. ``quorum_revision`` was read through quorum before; None marks a snapshot taken "without quorum", which is
    kept but is not verified. ``uid`` is the kube-system namespace's, None before Kubernetes has made it.
    """

    id: str
    cluster: str
    uid: str | None
    member: str
    taken_at: datetime
    revision: int
    quorum_revision: int | None
    key_count: int
    database_sha256: str
    database_bytes: int
    payload_sha256: str
    payload_bytes: int
    etcd_version: str
    kubernetes_version: str | None
    keys: SealedKeys
    seconds: Mapping[str, float] = field(default_factory=dict)
    signer: Signer | None = None

    @property
    def with_quorum(self) -> bool:
        """Whether it is known to hold every write that was acknowledged when it began."""
        return self.quorum_revision is not None

    @property
    def total_seconds(self) -> float:
        """How long the whole pipeline took."""
        return sum(self.seconds.values())

    @property
    def taken(self) -> Taken:
        """For :func:`haplane.domain.retention.keep`."""
        return Taken(self.id, self.taken_at, self.with_quorum, self.member)

    def to_bytes(self) -> bytes:
        """Canonical JSON: the bytes that are signed and stored."""
        document = dataclasses.asdict(self)
        document["taken_at"] = self.taken_at.astimezone(UTC).isoformat()
        document["seconds"] = dict(self.seconds)
        document["format"] = FORMAT if self.signer is None else CERTIFIED_FORMAT
        if self.signer is None:
            del document["signer"]
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> Manifest:
        """Parse untrusted bytes found at ``where``. Raises Refused with what is wrong."""
        try:
            if len(content) > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES} bytes")
            document = json.loads(content, parse_constant=_no_constant)
            if not isinstance(document, dict):
                raise TypeError("it is not an object")
            if document.get("format") not in (FORMAT, CERTIFIED_FORMAT):
                raise ValueError(
                    f"format {document.get('format')!r:.40} is unknown, this version reads up to {CERTIFIED_FORMAT}"
                )
            return _checked(document)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Refused("the manifest of this snapshot is not valid", where=where, why=str(error)) from error


def _checked(document: dict[str, Any]) -> Manifest:
    expected = {"format", *(known.name for known in dataclasses.fields(Manifest))}
    expected -= {"signer"} if document["format"] == FORMAT else set()
    if document.keys() != expected:
        raise ValueError(f"unknown or absent: {', '.join(sorted(document.keys() ^ expected))[:200]}")
    keys = document["keys"]
    if not isinstance(keys, dict) or keys.keys() != {"fingerprint", "sha256"}:
        raise TypeError("keys is not {fingerprint, sha256}")
    manifest = Manifest(
        id=_text(document, "id"),
        cluster=_text(document, "cluster"),
        uid=_unless_null(_text, document, "uid"),
        member=_text(document, "member"),
        taken_at=_time(document),
        revision=_number(document, "revision"),
        quorum_revision=_unless_null(_number, document, "quorum_revision"),
        key_count=_number(document, "key_count"),
        database_sha256=_digest(document, "database_sha256"),
        database_bytes=_number(document, "database_bytes"),
        payload_sha256=_digest(document, "payload_sha256"),
        payload_bytes=_number(document, "payload_bytes"),
        etcd_version=_text(document, "etcd_version"),
        kubernetes_version=_unless_null(_text, document, "kubernetes_version"),
        keys=SealedKeys(_text(keys, "fingerprint"), _digest(keys, "sha256")),
        seconds=_seconds(document),
        signer=Signer.from_document(document["signer"]) if "signer" in expected else None,
    )
    made_of = SnapshotId(manifest.taken_at, manifest.member, manifest.revision)
    if not is_snapshot_id(manifest.id) or manifest.id != str(made_of):
        raise ValueError("its id does not match its time, member and revision")
    if manifest.quorum_revision is not None and manifest.revision < manifest.quorum_revision:
        raise ValueError("it is older than the revision read through quorum")
    return manifest


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _unless_null(read: Callable[[dict[str, Any], str], T], document: dict[str, Any], name: str) -> T | None:
    return read(document, name) if document[name] is not None else None


def _text(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{1,253}", value):
        raise TypeError(f"{name} is not a short word")
    return value


def _number(document: dict[str, Any], name: str) -> int:
    value = document[name]
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise TypeError(f"{name} is not a natural number")
    return value


def _digest(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        raise TypeError(f"{name} is not a SHA-256")
    return value


def _time(document: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(_text(document, "taken_at"))
    if value.tzinfo is None:
        raise ValueError("taken_at has no time zone")
    return value


def _seconds(document: dict[str, Any]) -> dict[str, float]:
    value = document["seconds"]
    if not isinstance(value, dict) or len(value) > 32:
        raise TypeError("seconds is not an object")
    for step, seconds in value.items():
        if type(seconds) not in (int, float) or not 0 <= seconds < 1e7 or not re.fullmatch(r"[a-z_]{1,32}", step):
            raise TypeError("seconds are not numbers by step")
    return value
