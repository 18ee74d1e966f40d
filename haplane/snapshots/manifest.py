"""What a snapshot says of itself, and the names of its parts.

A snapshot is the directory ``DIRECTORY/ID/`` on its member and the objects ``[PREFIX/]CLUSTER/ID/`` in the bucket,
with the four parts below. The signature is written last: without it, it is not a snapshot.

Manifests come back from hosts and buckets, so :meth:`Manifest.from_bytes` believes nothing; the signature is checked
over the very bytes that were read, before they are parsed.
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

FORMAT = 1
MAX_BYTES = 64 * 1024
"""No manifest is larger; readers stop here."""

ID = re.compile(r"(?P<time>\d{8}T\d{6}Z)-(?P<member>[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)-r(?P<revision>\d{1,19})")
SHA256 = re.compile(r"[0-9a-f]{64}")
TIME = "%Y%m%dT%H%M%SZ"

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
        """Raises Refused for text that is not an id: nothing else may become part of a path."""
        found = ID.fullmatch(text)
        try:
            if found is None:
                raise ValueError("not TIME-MEMBER-rREVISION")
            taken_at = datetime.strptime(found["time"], TIME).replace(tzinfo=UTC)
        except ValueError as error:
            raise Refused("this is not a snapshot's id", where=repr(text[:100]), why=str(error)) from error
        return cls(taken_at, found["member"], int(found["revision"]))


@dataclass(frozen=True)
class SealedKeys:
    """Which sealed keys travel with it: ``fingerprint`` of the keys inside, ``sha256`` of the sealed file."""

    fingerprint: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Facts of one snapshot. Sizes in bytes, ``seconds`` by step, ``taken_at`` UTC.

    ``database_*`` are of the file etcdctl saved, with its trailing SHA-256; ``payload_*`` of what zstd and age made
    of it. ``quorum_revision`` was read through quorum before; None marks a snapshot taken "without quorum", which is
    kept but does not count as good. ``uid`` is the kube-system namespace's, None before Kubernetes is there.
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
    format: int = FORMAT

    @property
    def with_quorum(self) -> bool:
        """Whether it is known to hold all that was acknowledged when it was begun."""
        return self.quorum_revision is not None

    @property
    def total_seconds(self) -> float:
        """How long the whole pipeline took."""
        return sum(self.seconds.values())

    @property
    def taken(self) -> Taken:
        """For :func:`haplane.domain.retention.keep`."""
        return Taken(self.id, self.taken_at, self.with_quorum)

    def to_bytes(self) -> bytes:
        """Canonical JSON: the bytes that are signed and stored."""
        document = dataclasses.asdict(self)
        document["taken_at"] = self.taken_at.astimezone(UTC).isoformat()
        document["seconds"] = dict(self.seconds)
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
            if document.get("format") != FORMAT:
                raise ValueError(f"format {document.get('format')!r:.40} is not known, this version reads {FORMAT}")
            return _checked(document)
        except (ValueError, TypeError, RecursionError) as error:
            raise Refused("this snapshot's manifest is not usable", where=where, why=str(error)) from error


def _checked(document: dict[str, Any]) -> Manifest:
    expected = {known.name for known in dataclasses.fields(Manifest)}
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
        taken_at=_moment(document),
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
    )
    made_of = SnapshotId(manifest.taken_at, manifest.member, manifest.revision)
    if not ID.fullmatch(manifest.id) or manifest.id != str(made_of):
        raise ValueError("its id is not made of its own time, member and revision")
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
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TypeError(f"{name} is not a natural number")
    return value


def _digest(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        raise TypeError(f"{name} is not a SHA-256")
    return value


def _moment(document: dict[str, Any]) -> datetime:
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
