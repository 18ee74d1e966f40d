"""A download ends whole and checked, or with a clear error and at most a beginning that the next run goes on from."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from haplane.bundle.download import Patience, Site
from haplane.bundle.mirrors import Mirrors
from haplane.bundle.transport import Status, Transport, _redirected
from haplane.errors import HaplaneError

from .conftest import Mirror, everything_below, site_of

ADDRESS = "https://site.test/v1/tool"
PATH = "site.test/v1/tool"
CONTENT = bytes(range(256)) * 4096
QUARTER = len(CONTENT) // 4


def download(mirror: Mirror, directory: Path, sha256: str, stall_seconds: float = 5.0) -> list[float | None]:
    fractions: list[float | None] = []
    mirror.site(stall_seconds).download(ADDRESS, directory / "tool", sha256, report=fractions.append)
    return fractions


def test_a_whole_file_arrives(mirror: Mirror, tmp_path: Path) -> None:
    fractions = download(mirror, tmp_path, mirror.add(PATH, CONTENT))
    assert (tmp_path / "tool").read_bytes() == CONTENT
    assert fractions[-1] == 1.0
    assert everything_below(tmp_path) == ["tool"]
    assert mirror.seen[0]["User-Agent"].startswith("haplane/")


def test_a_broken_connection_is_taken_up_where_it_ended(mirror: Mirror, tmp_path: Path) -> None:
    sha256 = mirror.add(PATH, CONTENT)
    mirror.faults[PATH] = "broken-once"
    download(mirror, tmp_path, sha256)
    assert (tmp_path / "tool").read_bytes() == CONTENT
    assert mirror.requests == [(PATH, None), (PATH, f"bytes={len(CONTENT) // 2}-")]


def test_a_line_that_breaks_every_quarter_ends_behind_redirects(
    mirror: Mirror, storage: Mirror, tmp_path: Path
) -> None:
    """Range was lost at the redirect: each attempt began at 0, and the file never came."""
    sha256 = storage.add(PATH, CONTENT)
    storage.faults[PATH] = "quarters"
    mirror.behind = storage
    download(mirror, tmp_path, sha256)
    assert [where for _, where in storage.requests] == [None, *(f"bytes={QUARTER * part}-" for part in (1, 2, 3))]


def test_the_next_run_goes_on_where_one_gave_up(mirror: Mirror, tmp_path: Path) -> None:
    sha256 = mirror.add(PATH, CONTENT)
    mirror.faults[PATH] = "stalled"
    mirror.release.set()
    (tmp_path / ".tool.partial").write_bytes(CONTENT[:QUARTER])
    download(mirror, tmp_path, sha256)
    assert mirror.requests[0] == (PATH, f"bytes={QUARTER}-")
    assert everything_below(tmp_path) == ["tool"]


@pytest.mark.parametrize("beginning", [b"of another file", CONTENT + b"too much"])
def test_the_beginning_of_another_file_is_forgotten(mirror: Mirror, tmp_path: Path, beginning: bytes) -> None:
    (tmp_path / ".tool.partial").write_bytes(beginning)
    download(mirror, tmp_path, mirror.add(PATH, CONTENT))
    assert (tmp_path / "tool").read_bytes() == CONTENT


@pytest.mark.parametrize(("fault", "words"), [("stalled", "stalled"), ("busy", "503")])
def test_a_site_that_keeps_failing(mirror: Mirror, tmp_path: Path, fault: str, words: str) -> None:
    sha256 = mirror.add(PATH, b"x" if fault == "stalled" else CONTENT)
    mirror.faults[PATH] = fault
    with pytest.raises(HaplaneError, match=words) as caught:
        download(mirror, tmp_path, sha256, stall_seconds=0.1)
    assert len(mirror.requests) == 5
    assert caught.value.where == f"{mirror.url}/{PATH}"
    assert "--mirror" in str(caught.value)
    assert "tool" not in everything_below(tmp_path)


def test_a_registry_that_limits_is_waited_for_and_quoted(mirror: Mirror, tmp_path: Path) -> None:
    body = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit"}]}'
    mirror.refusals = [(429, {"Retry-After": "2"}, body)] * 2
    sha256 = mirror.add(PATH, CONTENT)
    waits: list[str] = []
    site = site_of(mirror.url)
    site = type(site)(site.mirrors, site.transport, Patience(0.01, 0.05), waits.append)
    site.download(ADDRESS, tmp_path / "tool", sha256)
    assert len(waits) == 2
    assert "429 Too Many Requests: TOOMANYREQUESTS: You have reached your pull rate limit" in waits[0]


@pytest.mark.parametrize(
    ("failures", "retry_after", "least", "most"),
    [
        (1, None, 1, 1.5),
        (4, None, 8, 12),
        (9, None, 60, 60),
        (1, "7", 7, 7),
        (1, "86400", 60, 60),
        (1, "0", 1, 1),
        (1, "-3", 1, 1.5),
        (1, "soon", 1, 1.5),
        (1, "9" * 5000, 1, 60),
        (1, "Fri, 31 Dec 9999 23:59:59 GMT", 60, 60),
    ],
)
def test_how_long_to_wait(failures: int, retry_after: str | None, least: float, most: float) -> None:
    assert least <= Patience().seconds(failures, retry_after) <= most


def test_a_wrong_checksum_names_both_sums(mirror: Mirror, tmp_path: Path) -> None:
    expected, actual = hashlib.sha256(b"other").hexdigest(), mirror.add(PATH, CONTENT)
    with pytest.raises(HaplaneError, match="wrong checksum") as caught:
        download(mirror, tmp_path, expected)
    assert expected in str(caught.value)
    assert actual in str(caught.value)
    assert everything_below(tmp_path) == []


def test_what_is_not_there_is_not_asked_for_twice(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(Status, match="404") as caught:
        download(mirror, tmp_path, "0" * 64)
    assert caught.value.why == "nothing here"
    assert len(mirror.requests) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(HaplaneError, match="refused"):
        site_of("http://127.0.0.1:9").download(ADDRESS, tmp_path / "tool", "0" * 64)  # the discard port


def test_an_earlier_file_survives_a_failed_download(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("the old one")
    mirror.add(PATH, CONTENT)
    with pytest.raises(HaplaneError):
        download(mirror, tmp_path, "0" * 64)
    assert (tmp_path / "tool").read_text() == "the old one"


def test_no_more_is_taken_than_was_announced(mirror: Mirror, tmp_path: Path) -> None:
    sha256 = mirror.add(PATH, CONTENT)
    mirror.faults[PATH] = "endless"
    with pytest.raises(HaplaneError, match="larger than it may be") as caught:
        mirror.site().download(ADDRESS, tmp_path / "tool", sha256, most=len(CONTENT))
    assert caught.value.why == f"it has more than {len(CONTENT)} bytes"
    assert everything_below(tmp_path) == []


def test_a_document_without_end_is_none(mirror: Mirror) -> None:
    mirror.add(PATH, b"")
    mirror.faults[PATH] = "endless"
    with pytest.raises(HaplaneError, match="larger than it may be"):
        mirror.site().document(ADDRESS)


def test_a_token_stays_with_its_host_and_what_is_wanted_goes_on(mirror: Mirror, storage: Mirror) -> None:
    storage.add(PATH, b"content")
    storage.signed, mirror.behind = True, storage
    headers = {"Authorization": "Bearer secret", "Accept": "text/plain", "Range": "bytes=0-"}
    assert mirror.site().document(ADDRESS, headers) == b"content"
    assert mirror.seen[-1]["Authorization"] == "Bearer secret"
    assert storage.seen[-1]["Authorization"] is None
    assert (storage.seen[-1]["Accept"], storage.seen[-1]["Range"]) == ("text/plain", "bytes=0-")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://storage.test/x", "https:///x", "data:text/plain,x"])
def test_a_redirect_leads_to_the_web_only(mirror: Mirror, tmp_path: Path, target: str) -> None:
    mirror.redirects[PATH] = target
    with pytest.raises(HaplaneError, match="not followed"):
        download(mirror, tmp_path, "0" * 64)
    assert everything_below(tmp_path) in ([], [".tool.partial"])


def test_redirects_without_end_are_not_followed(mirror: Mirror, tmp_path: Path) -> None:
    mirror.redirects[PATH] = f"/{PATH}"
    with pytest.raises(HaplaneError, match="more than 5 redirects"):
        download(mirror, tmp_path, "0" * 64)


@pytest.mark.parametrize("target", ["https://[::1", "http://host:port/", "http://host:99999/"])
def test_a_redirect_to_no_address_is_not_followed(mirror: Mirror, target: str) -> None:
    mirror.redirects["a.test/file"] = target
    with pytest.raises(HaplaneError, match="a redirect was not followed"):
        mirror.site().document("https://a.test/file")


def test_an_archive_is_taken_as_it_is_whatever_its_server_calls_it(mirror: Mirror, tmp_path: Path) -> None:
    """Some web servers name the compression of a .tgz as one of the transfer; its checksum is that of the .tgz."""
    content = gzip.compress(CONTENT)
    mirror.refusals = [(200, {"Content-Encoding": "x-gzip"}, content)]
    sha256 = mirror.add("a.test/file.tgz", content)
    mirror.site().download("https://a.test/file.tgz", tmp_path / "file", sha256)
    assert (tmp_path / "file").read_bytes() == content


def test_from_https_no_redirect_leads_to_http() -> None:
    with pytest.raises(HaplaneError, match="not followed") as caught:
        _redirected("https://site.test/tool", "http://me:secret@site.test/tool?X-Signature=secret")
    assert "secret" not in str(caught.value)
    assert _redirected("https://site.test/a/tool", "../b") == "https://site.test/b"


OK, BODY = b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n\r\nhello"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
SLOW = {
    "a header": (OK + b"X: ", [b"x"] * 30, b"\r\n" + BODY),
    "interim answers": (b"", [b"HTTP/1.1 100 Continue\r\n\r\n"] * 30, OK + BODY),
    "the length of a chunk": (OK + CHUNKED + b"5;", [b"x"] * 30, b"\r\nhello\r\n0\r\n\r\n"),
    "trailers": (OK + CHUNKED + b"5\r\nhello\r\n0\r\n", [b"X: y\r\n"] * 30, b"\r\n"),
}


@contextmanager
def dripping(before: bytes, slow: list[bytes], after: bytes) -> Iterator[Site]:
    """A site that answers so, a piece each tenth of a second, and is waited for no longer than half a second."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                with suppress(ConnectionError), server.accept()[0] as connection:
                    connection.recv(4096)
                    connection.sendall(before)
                    for piece in slow:
                        time.sleep(0.1)
                        connection.sendall(piece)
                    connection.sendall(after)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        tree = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield Site(Mirrors(tree), Transport(stall_seconds=0.5), Patience(0.0, 0.0))


@pytest.mark.parametrize("what", SLOW)
def test_a_site_that_sends_a_byte_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Each byte was in time, and the deadline was looked at behind pieces that never came."""
    monkeypatch.setattr("haplane.bundle.download.ATTEMPTS", 1)
    with dripping(*SLOW[what]) as site, pytest.raises(HaplaneError, match="too slow"):
        site.document("https://site.test/v2/")


def test_why_a_slow_site_refuses_is_not_waited_for() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\n"
    with dripping(head, [b"x"] * 30, b"") as site, pytest.raises(Status) as error:
        site.document("https://site.test/v2/")
    assert error.value.why is None
