"""A download ends whole and checked, or with a clear error and nothing left."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from haplane.bundle.download import Site, Status
from haplane.errors import BadInput, HaplaneError

from .conftest import Mirror, everything_below

ADDRESS = "https://site.test/v1/tool"
PATH = "site.test/v1/tool"
CONTENT = bytes(range(256)) * 4096


def download(mirror: Mirror, directory: Path, sha256: str, stall_seconds: float = 5.0) -> list[float | None]:
    fractions: list[float | None] = []
    site = Site(mirror.url, stall_seconds)
    site.download(ADDRESS, directory / "tool", sha256, report=fractions.append)
    return fractions


def test_a_whole_file_arrives(mirror: Mirror, tmp_path: Path) -> None:
    fractions = download(mirror, tmp_path, mirror.add(PATH, CONTENT))
    assert (tmp_path / "tool").read_bytes() == CONTENT
    assert fractions[-1] == 1.0
    assert everything_below(tmp_path) == ["tool"]


def test_a_broken_connection_is_taken_up_where_it_ended(mirror: Mirror, tmp_path: Path) -> None:
    sha256 = mirror.add(PATH, CONTENT)
    mirror.faults[PATH] = "broken-once"
    download(mirror, tmp_path, sha256)
    assert (tmp_path / "tool").read_bytes() == CONTENT
    assert mirror.requests == [(PATH, None), (PATH, f"bytes={len(CONTENT) // 2}-")]


@pytest.mark.parametrize(
    ("fault", "words"),
    [("truncated", "of 1048576 bytes"), ("stalled", "stalled"), ("busy", "503")],
)
def test_a_site_that_keeps_failing(mirror: Mirror, tmp_path: Path, fault: str, words: str) -> None:
    sha256 = mirror.add(PATH, CONTENT)
    mirror.faults[PATH] = fault
    with pytest.raises(HaplaneError, match=words) as caught:
        download(mirror, tmp_path, sha256, stall_seconds=0.2)
    assert caught.value.where == f"{mirror.url}/{PATH}"
    assert "--mirror" in str(caught.value)
    assert everything_below(tmp_path) == []


def test_a_wrong_checksum_names_both_sums(mirror: Mirror, tmp_path: Path) -> None:
    expected, actual = hashlib.sha256(b"other").hexdigest(), mirror.add(PATH, CONTENT)
    with pytest.raises(HaplaneError, match="wrong checksum") as caught:
        download(mirror, tmp_path, expected)
    assert expected in str(caught.value)
    assert actual in str(caught.value)
    assert everything_below(tmp_path) == []


def test_what_is_not_there_is_not_asked_for_twice(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(Status, match="404"):
        download(mirror, tmp_path, "0" * 64)
    assert len(mirror.requests) == 1
    assert everything_below(tmp_path) == []


def test_nobody_listens(mirror: Mirror, tmp_path: Path) -> None:
    site = Site("http://127.0.0.1:9")  # the discard port: nothing is there
    with pytest.raises(HaplaneError, match="refused"):
        site.download(ADDRESS, tmp_path / "tool", "0" * 64, report=lambda _: None)
    assert everything_below(tmp_path) == []


def test_an_earlier_file_survives_a_failed_download(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("the old one")
    mirror.add(PATH, CONTENT)
    with pytest.raises(HaplaneError):
        download(mirror, tmp_path, "0" * 64)
    assert (tmp_path / "tool").read_text() == "the old one"


@pytest.mark.parametrize("address", ["mirror.test", "file:///etc/passwd", "ftp://mirror.test"])
def test_only_web_addresses_are_mirrors(address: str) -> None:
    with pytest.raises(BadInput, match="no address of a mirror"):
        Site(address)
