"""A manifest survives the round trip, and anything else is refused with a reason."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.agent.manifest import MAX_BYTES, Manifest, SealedKeys, Signer, SnapshotId, is_snapshot_id
from haplane.errors import Refused

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
    certified = dataclasses.replace(GOOD, signer=Signer("text\n", "A" * 86 + "=="))
    assert Manifest.from_bytes(certified.to_bytes(), "here") == certified
    assert (json.loads(content)["format"], json.loads(certified.to_bytes())["format"]) == (1, 2)
    assert not Manifest.from_bytes(dataclasses.replace(GOOD, quorum_revision=None).to_bytes(), "here").with_quorum


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "../../etc/passwd"}, "does not match"),
        ({"id": "20261122T184500Z-m3-r12345"}, "does not match"),
        ({"quorum_revision": 12346}, "older than the revision"),
        ({"revision": True}, "revision is not"),
        ({"payload_bytes": -1}, "payload_bytes is not"),
        ({"payload_sha256": "A" * 64}, "payload_sha256 is not"),
        ({"cluster": "a\nb"}, "cluster is not"),
        ({"taken_at": "2026-11-22T18:45:00"}, "no time zone"),
        ({"seconds": {"save": "1"}}, "seconds are not"),
        ({"keys": {"sha256": "d" * 64}}, "keys is not"),
        ({"format": 3}, "format 3 is unknown"),
        ({"format": 2}, "absent: signer"),
        ({"signer": {"statement": "x", "signature": "y"}}, "absent: signer"),
        ({"format": 2, "signer": {"statement": "x", "signature": "y"}}, "signature is not one"),
        ({"format": 2, "signer": {"statement": "", "signature": "y"}}, "not a short text"),
        ({"format": 2, "signer": None}, "signer is not"),
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


NO_IDS = {
    "nothing": "",
    "a month 13": "20261322T184500Z-m2-r1",
    "a day 99": "20269999T000000Z-m1-r1",
    "a 30th of February": "20260230T000000Z-m1-r1",
    "year 0": "00000101T000000Z-m1-r1",
    "a path": "20261122T184500Z-m2-r1/..",
    "a path as member": "20261122T184500Z-..-r1",
    "other digits": "２０２６1122T184500Z-m2-r1",
    "other digits as revision": "20261122T184500Z-m2-r１",
    "leading zeros": "20261122T184500Z-m2-r007",
    "a revision that etcd has not": f"20261122T184500Z-m2-r{1 << 63}",
    "a line more": "20261122T184500Z-m2-r1\n",
}


@pytest.mark.parametrize("text", NO_IDS.values(), ids=NO_IDS)
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_snapshot_id(text)
    with pytest.raises(Refused):
        SnapshotId.parse(text)


@given(
    st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)),  # noqa: DTZ001 - UTC is set below
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", fullmatch=True),
    st.integers(0, (1 << 63) - 1),
)
def test_every_id_reads_back_as_what_was_written(taken_at: datetime, member: str, revision: int) -> None:
    made = SnapshotId(taken_at.replace(microsecond=0, tzinfo=UTC), member, revision)
    assert SnapshotId.parse(str(made)) == made


@given(st.text(st.sampled_from("0123456789TZ-rm１.٣"), min_size=18, max_size=30))
def test_what_is_taken_for_an_id_is_written_so(text: str) -> None:
    if is_snapshot_id(text):
        assert str(SnapshotId.parse(text)) == text
