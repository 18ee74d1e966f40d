"""A manifest survives the round trip, and anything else is refused with a reason."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.errors import Refused
from haplane.snapshots.manifest import MAX_BYTES, Manifest, SealedKeys, SnapshotId

TAKEN_AT = datetime(2026, 11, 22, 18, 45, tzinfo=UTC)
GOOD = Manifest(
    id="20261122T184500Z-m2-r12345",
    cluster="prod",
    uid="0b4c2d5e-8f2e-4f11-9c59-1a2b3c4d5e6f",
    member="m2",
    taken_at=TAKEN_AT,
    revision=12345,
    quorum_revision=12340,
    key_count=99,
    database_sha256="a" * 64,
    database_bytes=1 << 30,
    payload_sha256="b" * 64,
    payload_bytes=1 << 29,
    etcd_version="3.6.16",
    kubernetes_version=None,
    keys=SealedKeys("c" * 64, "d" * 64),
    seconds={"save": 1.5, "upload": 2},
)


def test_the_bytes_are_canonical_and_come_back() -> None:
    content = GOOD.to_bytes()
    assert Manifest.from_bytes(content, "here") == GOOD
    assert Manifest.from_bytes(content, "here").to_bytes() == content
    assert not Manifest.from_bytes(dataclasses.replace(GOOD, quorum_revision=None).to_bytes(), "here").with_quorum


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "../../etc/passwd"}, "not made of its own"),
        ({"id": "20261122T184500Z-m3-r12345"}, "not made of its own"),
        ({"quorum_revision": 12346}, "older than the revision"),
        ({"revision": True}, "revision is not"),
        ({"payload_bytes": -1}, "payload_bytes is not"),
        ({"payload_sha256": "A" * 64}, "payload_sha256 is not"),
        ({"cluster": "a\nb"}, "cluster is not"),
        ({"taken_at": "2026-11-22T18:45:00"}, "no time zone"),
        ({"seconds": {"save": "1"}}, "seconds are not"),
        ({"keys": {"sha256": "d" * 64}}, "keys is not"),
        ({"format": 2}, "format 2 is not known"),
        ({"extra": 1}, "unknown or absent: extra"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], why: str) -> None:
    document = {**json.loads(GOOD.to_bytes()), **change}
    with pytest.raises(Refused, match=why) as refused:
        Manifest.from_bytes(json.dumps(document).encode(), "s3://bucket/x")
    assert refused.value.where == "s3://bucket/x"


@given(content=st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_rubbish_is_refused_and_never_anything_else(content: bytes) -> None:
    with pytest.raises(Refused):
        Manifest.from_bytes(content, "here")


@pytest.mark.parametrize("content", [b"[" * 60_000, b" " * (MAX_BYTES + 1), b'{"format": NaN}'])
def test_bombs_are_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        Manifest.from_bytes(content, "here")


def test_ids_sort_by_time_and_nothing_else_is_one() -> None:
    earlier, later = SnapshotId(TAKEN_AT, "z", 9), SnapshotId(TAKEN_AT.replace(second=1), "a", 1)
    assert str(earlier) < str(later)
    assert SnapshotId.parse(str(earlier)) == earlier
    for text in ("", "20261322T184500Z-m2-r1", "20261122T184500Z-m2-r1/..", "20261122T184500Z-..-r1"):
        with pytest.raises(Refused):
            SnapshotId.parse(text)
