"""HTTP downloads that end whole and checked; what is half here is gone on with, in this run or the next."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import urllib3

from haplane.bundle.compress import CHUNK, file_sha256
from haplane.bundle.mirrors import Mirrors, shown
from haplane.bundle.transport import Interrupted, Transport
from haplane.errors import DeadlinePassed, HaplaneError

ATTEMPTS = 5  # in a row that bring no new byte, and we give up
DOCUMENT_LIMIT = 4 << 20
DOCUMENT_SECONDS = 120.0
ARTIFACT_LIMIT = 2 << 30  # of a download whose size nobody has announced
ARTIFACT_SECONDS = 2 * 3600.0

Report = Callable[[float | None], None]


def no_report(fraction: float | None) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Patience:
    """How long to wait before the next attempt: 1, 2, 4, 8 s with jitter, or Retry-After, within bounds."""

    first_seconds: float = 1.0
    most_seconds: float = 60.0

    def seconds(self, failures: int, retry_after: str | None = None) -> float:
        """The wait after so many failures in a row."""
        if retry_after is not None:
            limits = urllib3.Retry(retry_after_max=int(self.most_seconds))
            try:
                return max(limits.parse_retry_after(retry_after), self.first_seconds)
            except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
                pass  # what cannot be read counts as not given
        wait = self.first_seconds * 2.0 ** (failures - 1)
        return float(min(wait * random.uniform(1.0, 1.5), self.most_seconds))  # noqa: S311 - spreads, protects nothing


@dataclass(frozen=True)
class Site:
    """The official sites or mirrors of them. ``on_wait`` gets the reason and length of each wait."""

    mirrors: Mirrors = Mirrors()
    transport: Transport = field(default_factory=Transport)
    patience: Patience = Patience()
    on_wait: Callable[[str], None] = lambda text: None

    def document(self, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        """A small document. Raises Status when the site refuses it, HaplaneError when it cannot be had."""
        url = self.mirrors.url(address)
        failures = 0
        while True:
            try:
                return self._small(url, headers or {})
            except Interrupted as error:
                failures += 1
                self._wait(url, failures, error)

    def json(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, object]:
        """A small JSON object. Raises HaplaneError also for anything else."""
        where = shown(self.mirrors.url(address))
        try:
            value = json.loads(self.document(address, headers))
        except (ValueError, RecursionError) as error:
            raise HaplaneError("the response is not JSON", where=where, why=str(error)) from error
        if not isinstance(value, dict):
            raise HaplaneError("the response is not a JSON object", where=where)
        return value

    def download(
        self,
        address: str,
        target: Path,
        sha256: str,
        *,
        report: Report = no_report,
        headers: Mapping[str, str] | None = None,
        most: int = ARTIFACT_LIMIT,
    ) -> None:
        """Fetch a file, going on where a broken connection left off; ``target`` appears whole and checked.

        ``report`` gets the fraction that has arrived. Raises Status when the site refuses and HaplaneError when the
        connection fails time and again: the next call goes on from there. Raises HaplaneError and keeps nothing when
        the checksum is wrong or there are more than ``most`` bytes.
        """
        url, partial = self.mirrors.url(address), _partial(target)
        resumed = partial.is_file() and partial.stat().st_size > 0
        self._fetch(url, partial, headers or {}, report, most)
        if file_sha256(partial) != sha256 and resumed:  # another file's beginning, perhaps
            partial.unlink()
            self._fetch(url, partial, headers or {}, report, most)
        actual = file_sha256(partial)
        if actual != sha256:
            partial.unlink()
            raise HaplaneError(
                "a download has the wrong checksum",
                where=shown(url),
                why=f"its SHA-256 is {actual}, it should be {sha256}",
                next_step="nothing was kept; try again, or find out who changed the file",
            )
        partial.replace(target)

    def first_use(self, address: str, target: Path, *, report: Report = no_report) -> str:
        """Fetch a file that nobody publishes a checksum of; returns its SHA-256."""
        self._fetch(self.mirrors.url(address), target, {}, report, ARTIFACT_LIMIT)
        return file_sha256(target)

    def _fetch(self, url: str, partial: Path, headers: Mapping[str, str], report: Report, most: int) -> None:
        failures = 0
        best = partial.stat().st_size if partial.is_file() else 0
        ends = time.monotonic() + ARTIFACT_SECONDS
        while True:
            try:
                with partial.open("ab") as file:
                    return self._attempt(url, file, headers, report, most=most, ends=ends)
            except Interrupted as error:
                size = partial.stat().st_size
                failures = 1 if size > best else failures + 1
                best = max(best, size)
                if size == 0:
                    partial.unlink()
                self._wait(url, failures, error)
            except HaplaneError as error:
                if isinstance(error, _TooLarge) or partial.stat().st_size == 0:
                    partial.unlink()
                raise

    def _attempt(
        self, url: str, file: BinaryIO, headers: Mapping[str, str], report: Report, *, most: int, ends: float
    ) -> None:
        have = file.tell()
        resume = {"Range": f"bytes={have}-"} if have else {}
        with self.transport.get(url, {**headers, **resume}) as response:
            if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                file.truncate(0)
                raise Interrupted("it cannot resume from there")
            if response.status != HTTPStatus.PARTIAL_CONTENT or _begins_at(response) != have:
                if response.status == HTTPStatus.PARTIAL_CONTENT:
                    file.truncate(0)
                    raise Interrupted("it sent another part than was requested")
                have = 0
                file.truncate(0)
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if re.fullmatch(r"\d{1,15}", length, re.ASCII) else None
            while chunk := self.transport.piece(response, CHUNK, decode=False):  # some call a .tgz's own gzip theirs
                have += len(chunk)
                if have > most:
                    raise _TooLarge(url, most)
                if time.monotonic() > ends:
                    raise DeadlinePassed("a download took too long", where=shown(url), next_step="run it again")
                file.write(chunk)
                report(have / total if total else None)
        if total is not None and have < total:
            raise Interrupted(f"the connection ended after {have} of {total} bytes")

    def _small(self, url: str, headers: Mapping[str, str]) -> bytes:
        content = bytearray()
        ends = time.monotonic() + DOCUMENT_SECONDS
        with self.transport.get(url, headers) as response:
            while chunk := self.transport.piece(response, CHUNK):
                content += chunk
                if len(content) > DOCUMENT_LIMIT:
                    raise _TooLarge(url, DOCUMENT_LIMIT)
                if time.monotonic() > ends:
                    raise Interrupted("it is too slow")
        return bytes(content)

    def _wait(self, url: str, failures: int, error: Interrupted) -> None:
        """Wait for the next attempt. Raises HaplaneError when there is none."""
        if failures >= ATTEMPTS:
            raise HaplaneError(
                "a download failed",
                where=shown(url),
                why=str(error),
                next_step="run the command again to resume, or use --mirror; `bundle build` has --source modules too",
            )
        seconds = self.patience.seconds(failures, error.retry_after)
        self.on_wait(f"{urllib3.util.parse_url(url).host}: {error}; next attempt in {seconds:.0f} s")
        time.sleep(seconds)


class _TooLarge(HaplaneError):
    def __init__(self, url: str, most: int) -> None:
        super().__init__(
            "a download is larger than it may be",
            where=shown(url),
            why=f"it has more than {most} bytes",
            next_step="nothing was kept; find out who changed the file",
        )


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _begins_at(response: urllib3.BaseHTTPResponse) -> int | None:
    """Where the part of a 206 begins; None for any other answer."""
    found = re.match(r"bytes (\d{1,15})-", response.headers.get("Content-Range", ""), re.ASCII)
    return int(found[1]) if found else None
