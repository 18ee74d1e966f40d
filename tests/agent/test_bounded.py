"""Whatever an S3 server sends, and however slowly: it ends, in bounded memory, with a reason."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from haplane.agent import bounded, objects, store
from haplane.agent.manifest import MANIFEST, PAYLOAD
from haplane.agent.store import Store
from haplane.errors import DeadlinePassed, HaplaneError, Refused
from haplane.snapshots.places import Bucket

from .stub import Request, stub

ID = "20261122T184500Z-m2-r12345"
PAGE = "<ListBucketResult><IsTruncated>{more}</IsTruncated>{token}{items}</ListBucketResult>"


def test_an_object_without_a_length_is_read_to_its_end(tmp_path: Path) -> None:
    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.end_headers()
        request.wfile.write(b"x" * 100)
        request.close_connection = True

    with stub(respond, tmp_path) as settings:
        assert Store(settings, "test").digest(ID, PAYLOAD, 100)[1] == 100
        with pytest.raises(Refused, match="more than 99 bytes"):
            Store(settings, "test").digest(ID, PAYLOAD, 99)


def drip(request: Request, pieces: bytes) -> None:
    for piece in pieces:
        request.wfile.write(bytes([piece]))
        time.sleep(0.05)


def test_a_body_that_drips_byte_by_byte_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PATIENCE_SECONDS", 0.5)

    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.send_header("Content-Length", "60000")
        request.end_headers()
        drip(request, b"x" * 60_000)

    with stub(respond, tmp_path) as settings:
        began = time.monotonic()
        with pytest.raises(DeadlinePassed, match="too slow"):
            Store(settings, "test").read(ID, MANIFEST)
        assert time.monotonic() - began < 10


def test_a_place_that_drips_one_manifest_is_not_asked_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PATIENCE_SECONDS", 0.5)

    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.end_headers()
        drip(request, b"x" * 60_000)

    with stub(respond, tmp_path) as settings:
        began = time.monotonic()
        with pytest.raises(DeadlinePassed, match="too slow"):
            Bucket(Store(settings, "test")).signed([f"20261122T1845{second:02}Z-m2-r1" for second in range(60)])
        assert time.monotonic() - began < 10


def test_headers_that_drip_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "REQUEST_SECONDS", 0.5)

    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.flush_headers()
        drip(request, b"X-Nothing: " + b"x" * 60_000)

    with stub(respond, tmp_path) as settings:
        began = time.monotonic()
        with pytest.raises(DeadlinePassed, match="no response"):
            Store(settings, "test").read(ID, MANIFEST)
        assert time.monotonic() - began < 10


def test_a_listing_document_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "DOCUMENT_SECONDS", 0.5)

    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.send_header("Content-Length", "60000")
        request.end_headers()
        drip(request, b"<" * 60_000)

    with stub(respond, tmp_path) as settings, pytest.raises(DeadlinePassed):
        Store(settings, "test").snapshots()


@pytest.mark.parametrize(
    ("before", "slow", "after"),
    [(b"5;", b"x" * 60, b"\r\nhello\r\n0\r\n\r\n"), (b"5\r\nhello\r\n0\r\n", b"X: y\r\n" * 10, b"\r\n")],
    ids=["the length of a chunk", "trailers"],
)
def test_what_comes_between_the_pieces_of_a_body_is_given_up_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes, slow: bytes, after: bytes
) -> None:
    """The deadline was looked at behind each piece: none came, and `snapshot verify` waited for ever."""
    monkeypatch.setattr(bounded, "PIECE_SECONDS", 0.5)

    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(before)
        drip(request, slow)
        request.wfile.write(after)

    with stub(respond, tmp_path) as settings, pytest.raises(DeadlinePassed, match="too slow"):
        Store(settings, "test").read(ID, MANIFEST)


def test_a_document_of_any_size_is_not_read_into_memory(tmp_path: Path) -> None:
    def respond(request: Request) -> None:
        request.send_response_only(200)
        request.send_header("Content-Length", str(1 << 30))
        request.end_headers()
        for _ in range(1 << 10):
            request.wfile.write(b"<" * (1 << 20))

    with stub(respond, tmp_path) as settings, pytest.raises(Refused, match="far too large"):
        Store(settings, "test").snapshots()


DECLARED = ("<!DOCTYPE x [<!ENTITY a 'yyyyyyyy'>]>", "<!DOCTYPE x SYSTEM 'http://127.0.0.1/'>")


@pytest.mark.parametrize("declared", DECLARED)
def test_a_document_that_makes_more_of_itself_is_not_parsed(tmp_path: Path, declared: str) -> None:
    """4 MiB of references to an entity took 900 MiB, on the controller or on a member of etcd."""
    content = f"<?xml version='1.0'?>\n{declared}\n{PAGE.format(more='false', token='', items='')}".encode()
    answering = stub(lambda request: request.answer(200, content), tmp_path)
    with answering as settings, pytest.raises(HaplaneError, match="cannot be read"):
        Store(settings, "test").snapshots()


def test_a_page_of_html_that_refuses_says_what_its_status_does(tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><html>no</html>"
    answering = stub(lambda request: request.answer(403, page), tmp_path)
    with answering as settings, pytest.raises(HaplaneError, match="does not allow this"):
        Store(settings, "test").put_bytes(ID, MANIFEST, b"x")


def endless(numbers: itertools.count[int]):
    """A listing that never ends, of ids that are all possible; the last days' are listed when asked for."""

    def respond(request: Request) -> None:
        number = next(numbers)
        recent = "start-after=" in request.path
        names = [
            f"2019{number % 12 + 1:02}{i % 28 + 1:02}T0000{i % 60:02}Z-m1-r{number * 1000 + i}" for i in range(100)
        ]
        names = [ID, *names[1:]] if recent else names
        items = "".join(f"<Contents><Key>test/{name}/manifest.sig</Key><Size>64</Size></Contents>" for name in names)
        token = f"<NextContinuationToken>t{number}</NextContinuationToken>"
        request.answer(200, PAGE.format(more="true", token=token, items=items).encode())

    return respond


NO_LISTING = {
    "nothing": "",
    "a page of a proxy's": "<html><body>[/red] please log in</body></html>",
    "a size that is none": PAGE.format(
        more="false", token="", items=f"<Contents><Key>test/{ID}/{MANIFEST}</Key><Size>large</Size></Contents>"
    ),
    "a date that is none": PAGE.format(
        more="false",
        token="",
        items=f"<Contents><Key>test/{ID}/{MANIFEST}</Key><LastModified>soon</LastModified></Contents>",
    ),
}


@pytest.mark.parametrize("kind", NO_LISTING)
def test_what_is_no_listing_is_an_error_and_no_empty_bucket(tmp_path: Path, kind: str) -> None:
    with stub(lambda request: request.answer(200, NO_LISTING[kind].encode()), tmp_path) as settings:
        with pytest.raises(HaplaneError) as failure:
            Store(settings, "test").snapshots()
        assert settings.bucket in str(failure.value.where)


@pytest.mark.parametrize("token", ["", "<NextContinuationToken>again</NextContinuationToken>"])
def test_a_listing_that_ends_before_its_end_is_known_to(tmp_path: Path, token: str) -> None:
    """With no way to the next page, or with one that leads to the same page for ever."""
    page = PAGE.format(more="true", token=token, items=f"<Contents><Key>test/{ID}/{MANIFEST}</Key></Contents>")
    with stub(lambda request: request.answer(200, page.encode()), tmp_path) as settings:
        bucket = Store(settings, "test")
        assert [one.id for one in bucket.snapshots()] == [ID]
        assert "reports more objects" in str(bucket.unlisted)


@pytest.mark.parametrize("header", ["Last-Modified", "x-amz-missing-meta", "x-amz-mp-parts-count"])
def test_an_object_with_a_header_that_is_none_is_not_read_and_ends_nothing(tmp_path: Path, header: str) -> None:
    with stub(lambda request: request.answer(200, b"x", **{header: "[/]"}), tmp_path) as settings:
        bucket = Store(settings, "test")
        assert Bucket(bucket).signed([ID]) == {}
        with pytest.raises(HaplaneError, match="cannot be read"):
            bucket.digest(ID, PAYLOAD, 100)


def test_an_endless_listing_ends_and_still_has_the_last_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_OBJECTS", 1000)
    with stub(endless(itertools.count()), tmp_path) as settings:
        bucket = Store(settings, "test")
        found = bucket.snapshots()
    assert len(found) <= 2001
    assert ID in {each.id for each in found}
    assert "more than 1000 objects" in str(bucket.unlisted)


def test_a_slow_listing_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LISTING_SECONDS", 0.2)
    with stub(endless(itertools.count()), tmp_path) as settings:
        bucket = Store(settings, "test")
        bucket.snapshots()
    assert "takes more than" in str(bucket.unlisted)


@pytest.mark.parametrize("absent", ["UploadId", "ETag"])
def test_a_response_that_lacks_what_is_needed_is_named(tmp_path: Path, absent: str) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * (9 << 20))

    def respond(request: Request) -> None:
        begun = request.command == "POST" and absent != "UploadId"
        request.answer(200, b"<R><UploadId>u1</UploadId></R>" if begun else b"<R></R>")

    with stub(respond, tmp_path) as settings, pytest.raises(HaplaneError, match="cannot be read") as failed:
        Store(settings, "test").put_file(ID, PAYLOAD, large)
    assert f"it has no {absent}" in str(failed.value)
