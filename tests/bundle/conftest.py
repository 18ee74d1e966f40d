"""A web server that serves official sites' trees as a mirror does, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


class Mirror:
    """``files`` maps HOST/PATH to content; ``faults`` maps HOST/PATH to one of the words below.

    truncated: the connection ends halfway, every time. broken-once: it does so on the first request only.
    stalled: headers and half of the content come, then nothing. busy: 503.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.token: str | None = None
        self.requests: list[tuple[str, str | None]] = []
        self.release = threading.Event()
        self.url = ""

    def add(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return hashlib.sha256(content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        mirror: Mirror = self.server.mirror
        path = self.path.lstrip("/")
        mirror.requests.append((path, self.headers["Range"]))
        if path.partition("?")[0] == "auth.test/token":
            return self._send(200, f'{{"token": "{mirror.token}"}}'.encode())
        if "/v2/" in path and mirror.token and self.headers["Authorization"] != f"Bearer {mirror.token}":
            challenge = 'Bearer realm="https://auth.test/token",service="registry",scope="repository:x:pull"'
            return self._send(401, b"", {"WWW-Authenticate": challenge})
        if path not in mirror.files:
            return self._send(404, b"nothing here")
        return self._misbehave(mirror, path) if path in mirror.faults else self._serve(mirror, path)

    def _serve(self, mirror: Mirror, path: str) -> None:
        content, requested = mirror.files[path], self.headers["Range"]
        if requested:
            start = int(requested.removeprefix("bytes=").rstrip("-"))
            return self._send(206, content[start:])
        return self._send(200, content)

    def _misbehave(self, mirror: Mirror, path: str) -> None:
        fault, content = mirror.faults[path], mirror.files[path]
        if fault == "busy":
            return self._send(503, b"")
        if fault == "broken-once":
            del mirror.faults[path]
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        if fault == "stalled":
            mirror.release.wait(30)
        return None

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
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
