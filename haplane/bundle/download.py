"""HTTP downloads that end whole and checked, or leave nothing."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from haplane.bundle.compress import CHUNK, file_sha256
from haplane.errors import BadInput, HaplaneError

STALL_SECONDS = 30.0
FRUITLESS_ATTEMPTS = 3  # so many attempts in a row that bring no new byte, and we give up
DOCUMENT_LIMIT = 4 << 20
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

Report = Callable[[float | None], None]


class _Interrupted(Exception):
    """An attempt brought less than everything; another may bring the rest."""


class Status(HaplaneError):
    """The site answered, with a refusal. ``code`` is the HTTP status."""

    def __init__(self, url: str, error: urllib.error.HTTPError) -> None:
        super().__init__(
            f"{url} answers {error.code} {error.reason}",
            next_step="check the address, and with --mirror that the mirror has this path",
        )
        self.code = error.code
        self.headers = error.headers


@dataclass(frozen=True)
class Site:
    """The official sites, or the mirror that serves their trees as URL/HOST/PATH.

    ``stall_seconds`` is how long a connection may bring nothing before it is given up.
    """

    mirror: str | None = None
    stall_seconds: float = STALL_SECONDS

    def __post_init__(self) -> None:
        if self.mirror is not None and not self.mirror.startswith(("http://", "https://")):
            raise BadInput(f"{self.mirror!r} is no address of a mirror", next_step="give one as https://HOST/PATH")

    def document(self, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        """A small document. Raises Status when the site refuses it, HaplaneError when it cannot be had."""
        reason = ""
        for _ in range(FRUITLESS_ATTEMPTS):
            try:
                with self._open(address, headers or {}) as response:
                    return response.read(DOCUMENT_LIMIT)
            except _Interrupted as error:
                reason = str(error)
            except (OSError, http.client.HTTPException) as error:
                reason = _reason(error)
        raise self._unobtainable(address, reason)

    def json(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, object]:
        """A small JSON object. Raises HaplaneError also for anything else."""
        try:
            value = json.loads(self.document(address, headers))
        except ValueError as error:
            raise HaplaneError("this is not JSON", where=self._url(address), why=str(error)) from error
        if not isinstance(value, dict):
            raise HaplaneError("this is not a JSON object", where=self._url(address))
        return value

    def download(
        self, address: str, target: Path, sha256: str, *, report: Report, headers: Mapping[str, str] | None = None
    ) -> None:
        """Fetch a file, going on where a broken connection left off; ``target`` appears whole and checked.

        ``report`` is told the fraction that is here. Raises Status when the site refuses, HaplaneError when the
        checksum is wrong or the connection fails time and again; then nothing is left.
        """
        partial = target.with_name(f".{target.name}.partial")
        partial.unlink(missing_ok=True)
        try:
            self._fetch(address, partial, headers or {}, report)
            actual = file_sha256(partial)
            if actual != sha256:
                raise HaplaneError(
                    "a download has the wrong checksum",
                    where=self._url(address),
                    why=f"its SHA-256 is {actual}, it should be {sha256}",
                    next_step="nothing was kept; try again, or find out who changed the file",
                )
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _fetch(self, address: str, partial: Path, headers: Mapping[str, str], report: Report) -> None:
        best = fruitless = 0
        while True:
            try:
                with partial.open("ab") as file:
                    self._attempt(address, file, headers, report)
                return
            except (_Interrupted, OSError, http.client.HTTPException) as error:
                size = partial.stat().st_size
                fruitless = 0 if size > best else fruitless + 1
                best = max(best, size)
                if fruitless >= FRUITLESS_ATTEMPTS:
                    raise self._unobtainable(address, _reason(error)) from error

    def _attempt(self, address: str, file: BinaryIO, headers: Mapping[str, str], report: Report) -> None:
        have = file.tell()
        resume = {"Range": f"bytes={have}-"} if have else {}
        with self._open(address, {**headers, **resume}) as response:
            if response.status != http.client.PARTIAL_CONTENT:
                have = 0
                file.truncate(0)
            length = response.headers["Content-Length"]
            total = have + int(length) if length else None
            while chunk := response.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                report(have / total if total else None)
        if total is not None and have < total:
            raise _Interrupted(f"the connection ended after {have} of {total} bytes")

    def _open(self, address: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        request = urllib.request.Request(self._url(address))  # noqa: S310 - https, or http(s) by __post_init__
        for name, value in headers.items():
            request.add_unredirected_header(name, value)  # a registry's token is not for the storage it redirects to
        try:
            response: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 - see above
                request, timeout=self.stall_seconds
            )
        except urllib.error.HTTPError as error:
            if error.code in TRANSIENT:
                raise _Interrupted(f"it answers {error.code} {error.reason}") from error
            raise Status(self._url(address), error) from error
        return response

    def _url(self, address: str) -> str:
        if self.mirror is None:
            return address
        return f"{self.mirror.rstrip('/')}/{address.removeprefix('https://')}"

    def _unobtainable(self, address: str, reason: str) -> HaplaneError:
        return HaplaneError(
            "a download failed",
            where=self._url(address),
            why=reason,
            next_step="nothing was kept; run the command again, or use --mirror or --source modules",
        )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the connection stalled: nothing came for too long"
    return str(getattr(error, "reason", None) or error) or type(error).__name__
