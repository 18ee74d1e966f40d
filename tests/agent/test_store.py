"""The store against two independent S3 servers."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from haplane.agent import objects, s3
from haplane.agent.manifest import MANIFEST, PAYLOAD, SIGNATURE
from haplane.agent.objects import Upload
from haplane.agent.s3 import NotStored
from haplane.agent.settings import S3Settings
from haplane.agent.store import Store
from haplane.errors import BadInput, DeadlinePassed, HaplaneError, Refused, Unreachable

from .machinery import Faults, Server
from .members import unfinished_uploads

ID = "20261122T184500Z-m2-r12345"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom((17 << 20) + 1))
    return path


@pytest.fixture
def bucket(server: Server, request: pytest.FixtureRequest) -> Store:
    return Store(server.settings, hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12])


def test_what_is_put_comes_back(bucket: Store, large: Path, tmp_path: Path) -> None:
    begun: list[Upload] = []
    bucket.put_file(ID, PAYLOAD, large, begun.append)
    expected = hashlib.sha256(large.read_bytes()).hexdigest(), large.stat().st_size
    assert len(begun) == 1
    size = large.stat().st_size
    assert bucket.digest(ID, PAYLOAD, size) == expected
    assert bucket.download(ID, PAYLOAD, tmp_path / "copy", size) == expected
    assert (tmp_path / "copy").read_bytes() == large.read_bytes()
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    bucket.abort(begun[0])
    assert bucket.digest(ID, PAYLOAD, size) == expected


def test_it_lists_by_time_what_is_ours_and_deletes_it(bucket: Store, server: Server) -> None:
    later = "20261122T184600Z-m1-r1"
    for snapshot in (later, ID):
        bucket.put_bytes(snapshot, MANIFEST, b"{}")
    bucket.put_bytes(ID, SIGNATURE, b"signature")
    base = bucket._key(ID, MANIFEST).split(ID)[0]
    no_dates = [f"{base}{each}-m1-r1/{SIGNATURE}" for each in ("20269999T000000Z", "00000101T000000Z")]
    for foreign in (f"{base}probe-m1", f"{base}{ID}/other", f"{base}notes/{MANIFEST}", *no_dates):
        server.s3.put_object(Bucket="backups", Key=foreign, Body=b"x")
    assert [(found.id, found.complete, found.parts) for found in bucket.snapshots()] == [
        (ID, True, {MANIFEST: 2, SIGNATURE: 9}),
        (later, False, {MANIFEST: 2}),
    ]
    bucket.delete(ID)
    assert [found.id for found in bucket.snapshots()] == [later]
    assert server.s3.get_object(Bucket="backups", Key=f"{base}{ID}/other")["Body"].read() == b"x"


def test_what_is_not_there_and_what_is_too_large(bucket: Store, tmp_path: Path) -> None:
    with pytest.raises(NotStored):
        bucket.read(ID, MANIFEST)
    for part, most in ((MANIFEST, 64 << 10), (SIGNATURE, 64)):
        bucket.put_bytes(ID, part, b"x" * most)
        assert len(bucket.read(ID, part)) == most
        bucket.put_bytes(ID, part, b"x" * (most + 1))
        with pytest.raises(Refused, match=f"more than {most} bytes"):
            bucket.read(ID, part)
    for snapshot in ("../secrets", "20269999T000000Z-m1-r1"):
        with pytest.raises(Refused):
            bucket.read(snapshot, MANIFEST)


def test_no_more_is_read_or_written_than_was_signed(bucket: Store, large: Path, tmp_path: Path) -> None:
    bucket.put_file(ID, PAYLOAD, large)
    for act in (lambda: bucket.digest(ID, PAYLOAD, 7), lambda: bucket.download(ID, PAYLOAD, tmp_path / "copy", 7)):
        with pytest.raises(Refused, match="more than 7 bytes"):
            act()
    assert list(tmp_path.iterdir()) == [large]


def test_another_bucket_is_not_there(server: Server) -> None:
    with pytest.raises(BadInput, match="bucket does not exist"):
        Store(replace(server.settings, bucket="absent"), "c").check("m1")


def test_wrong_credentials_are_refused_and_not_told(rclone_server: Server, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("[default]\naws_access_key_id = access\naws_secret_access_key = hush-hush\n")
    with pytest.raises(BadInput, match="does not allow this") as refused:
        Store(replace(rclone_server.settings, credentials_file=str(wrong)), "c").check("m1")
    assert str(wrong) in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("content", ["", "[default]\naws_access_key_id = hush\n", "[other]\n", "hush"])
def test_a_file_without_credentials_is_named(access: S3Settings, tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(content)
    settings = replace(access, endpoint_url="https://127.0.0.1:1", credentials_file=str(path))
    with pytest.raises(BadInput) as refused:
        Store(settings, "c").check("m1")
    assert refused.value.where == str(path)
    assert "hush" not in str(refused.value)


def test_a_server_of_another_authority_is_not_trusted(rclone_server: Server) -> None:
    with pytest.raises(Unreachable, match="SSL"):
        Store(replace(rclone_server.settings, ca_file=None), "c").check("m1")


def test_a_server_that_never_answers(access: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    monkeypatch.setattr(s3, "ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = replace(access, endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unreachable, match="does not respond"):
            Store(settings, "c").check("m1")
    assert time.monotonic() - began < 20


def test_a_server_that_drips_is_given_up(
    faulty: Server, faults: Faults, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Store(faulty.settings, "drip")
    bucket.put_file(ID, PAYLOAD, large)
    monkeypatch.setattr(objects, "PATIENCE_SECONDS", 1)
    monkeypatch.setattr(objects, "SLOWEST_BYTES_PER_SECOND", 1 << 30)
    faults.drip_gets = True
    with pytest.raises(DeadlinePassed, match="too slow"):
        bucket.digest(ID, PAYLOAD, 17 << 20)


def test_an_upload_that_is_cut_leaves_nothing(faulty: Server, faults: Faults, large: Path) -> None:
    bucket = Store(faulty.settings, "cut")
    faults.cut_part = 2
    with pytest.raises(Unreachable):
        bucket.put_file(ID, PAYLOAD, large)
    assert unfinished_uploads(bucket) == []
    assert bucket.snapshots() == ()


def test_a_server_that_refuses_to_abort_does_not_hide_why(faulty: Server, faults: Faults, large: Path) -> None:
    bucket = Store(faulty.settings, "refuses")
    faults.cut_part, faults.refuse_deletes = 2, True
    with pytest.raises(Unreachable):
        bucket.put_file(ID, PAYLOAD, large)
    (left,) = unfinished_uploads(bucket)
    with pytest.raises(HaplaneError, match="does not allow"):
        bucket.abort(left)
    faults.refuse_deletes = False
    bucket.abort(left)
    assert unfinished_uploads(bucket) == []


def test_another_answer_than_what_was_put_is_found(faulty: Server, faults: Faults) -> None:
    faults.spoil_gets = True
    with pytest.raises(HaplaneError, match="returned other data"):
        Store(faulty.settings, "spoiled").check("m1")
