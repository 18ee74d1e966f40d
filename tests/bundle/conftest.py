"""Web servers that serve official sites' trees as mirrors do: as the real ones behave, and worse."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from haplane.bundle.download import Patience, Site
from haplane.bundle.mirrors import Mirrors
from haplane.bundle.transport import Transport


class Mirror:
    """``files`` maps HOST/PATH to content; ``faults`` maps HOST/PATH to one of the words below.

    truncated: the connection ends halfway, every time. broken-once: it does so on the first request only. quarters:
    it ends after a quarter of the whole, every time. stalled: headers and half of the content come, then nothing.
    busy: 503. endless: it never ends. schema-1: a manifest as for clients of 2014.

    ``redirects`` maps HOST/PATH to an address, ``behind`` is a server that everything is redirected to, with 307 and
    a signature in the query. ``refusals`` are answers (status, headers, body) given before anything else. ``seen``
    are the headers of each request. A server with ``signed`` refuses requests that bring a password or token, and
    manifests to whoever does not accept ``media_types``. ``token`` is good for ``token_uses`` requests, where given.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.refusals: list[tuple[int, dict[str, str], bytes]] = []
        self.behind: Mirror | None = None
        self.signed = False
        self.media_types: dict[str, str] = {}
        self.challenge = 'Bearer realm="{realm}",service="registry",scope="repository:x:pull"'
        self.realm = "https://auth.test/token"
        self.seen: list[Any] = []
        self.token: str | None = None
        self.token_uses: int | None = None
        self.tokens_given = 0
        self.requests: list[tuple[str, str | None]] = []
        self.release = threading.Event()
        self.url = ""

    def add(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return hashlib.sha256(content).hexdigest()

    def site(self, stall_seconds: float = 5.0) -> Site:
        """Everything from here, without long waits."""
        return site_of(self.url, stall_seconds=stall_seconds)


def site_of(*mirrors: str, stall_seconds: float = 5.0, **transport: Any) -> Site:
    site = Site(Mirrors.parse(mirrors), Transport(stall_seconds=stall_seconds, **transport))
    return replace(site, patience=Patience(first_seconds=0.01, most_seconds=0.05))


Answer = tuple[int, bytes, dict[str, str]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        mirror: Mirror = self.server.mirror
        path, _, query = self.path.lstrip("/").partition("?")
        mirror.requests.append((path, self.headers["Range"]))
        mirror.seen.append(self.headers)
        answer = self._refused(mirror, path, query) or self._redirected(mirror, path)
        if answer is not None:
            self._send(*answer)
        elif path in mirror.faults:
            self._misbehave(mirror, path)
        else:
            self._serve(mirror, path)

    def _refused(self, mirror: Mirror, path: str, query: str) -> Answer | None:
        if mirror.refusals:
            status, headers, body = mirror.refusals.pop(0)
            return status, body, headers
        if path.endswith("auth.test/token"):
            mirror.tokens_given += 1
            mirror.token = mirror.token if mirror.token_uses is None else f"token-{mirror.tokens_given}"
            return 200, f'{{"token": "{mirror.token}", "expires_in": 300}}'.encode(), {}
        if "/v2/" in f"/{path}" and mirror.token and not self._admitted(mirror):
            return 401, b"{}", {"WWW-Authenticate": mirror.challenge.replace("{realm}", mirror.realm)}
        if mirror.signed and self.headers["Authorization"] and "X-Signature" in query:
            return 400, b"only one authentication mechanism is allowed", {}
        return None

    def _redirected(self, mirror: Mirror, path: str) -> Answer | None:
        if mirror.behind is not None:
            return 307, b"", {"Location": f"{mirror.behind.url}/{path}?X-Signature=secret"}
        if path in mirror.redirects:
            return 307, b"", {"Location": mirror.redirects[path]}
        return None if path in mirror.files else (404, b"nothing here", {})

    def _admitted(self, mirror: Mirror) -> bool:
        if self.headers["Authorization"] != f"Bearer {mirror.token}":
            return False
        if mirror.token_uses is not None:
            given = sum(1 for headers in mirror.seen if headers["Authorization"] == self.headers["Authorization"])
            return given <= mirror.token_uses
        return True

    def _serve(self, mirror: Mirror, path: str) -> None:
        content, requested = mirror.files[path], self.headers["Range"]
        media_type = mirror.media_types.get(path)
        if media_type is not None and media_type not in (self.headers["Accept"] or ""):
            words = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "client does not accept its media type"}]}'
            return self._send(404, words)
        if requested:
            start = int(requested.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return self._send(416, b"")
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self._send(206, content[start:], {"Content-Range": place})
        return self._send(200, content)

    def _misbehave(self, mirror: Mirror, path: str) -> None:
        fault, content = mirror.faults[path], mirror.files[path]
        if fault == "busy":
            return self._send(503, b"")
        if fault == "schema-1":
            return self._send(200, b'{"schemaVersion": 1, "name": "pause", "tag": "3", "fsLayers": []}')
        if fault == "broken-once":
            del mirror.faults[path]
        self.close_connection = True
        if fault == "endless":
            return self._without_end()
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : start + len(content) // (4 if fault == "quarters" else 2)])
        self.wfile.flush()
        if fault == "stalled":
            mirror.release.wait(30)
        return None

    def _without_end(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(1 << 20))

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever proxies and passwords whoever runs the tests has."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("NETRC", raising=False)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    yield from serve()


@pytest.fixture
def storage() -> Iterator[Mirror]:
    """Where the mirror may redirect to."""
    yield from serve()


def serve() -> Iterator[Mirror]:
    served = Mirror()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.mirror = served  # type: ignore[attr-defined]
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield served
    served.release.set()
    server.shutdown()
    server.server_close()


def everything_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
