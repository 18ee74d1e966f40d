"""Whether the endpoint is ready, asked of a server that answers as a test says."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from haplane.pki.ca import new_ca
from haplane.remote import executor
from haplane.remote.executor import SshExecutor


class Endpoint(HTTPServer):
    status, location, pauses = 200, "", 0
    paths: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        for _ in range(self.server.pauses):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.1)
        self.send_response(self.server.status if self.path == "/readyz" else 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = new_ca("endpoint", now=datetime.now(UTC))
    (tmp_path / "pair.pem").write_bytes(pair.certificate + pair.private_key)
    context.load_cert_chain(tmp_path / "pair.pem")
    server = Endpoint(("127.0.0.1", 0), Handler)
    server.paths = []
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def is_ready(server: Endpoint) -> bool:
    inventory = SimpleNamespace(cluster=SimpleNamespace(endpoint=f"127.0.0.1:{server.server_port}"))
    return SshExecutor.endpoint_is_ready(None, inventory)  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (204, False)])
def test_only_a_direct_200_is_ready(endpoint: Endpoint, status: int, ready: bool) -> None:
    endpoint.status = status
    assert is_ready(endpoint) is ready


def test_a_redirect_is_neither_followed_nor_ready(endpoint: Endpoint) -> None:
    """A load balancer had the operator's machine fetch what it named, and counted as ready."""
    endpoint.status, endpoint.location = 302, f"https://127.0.0.1:{endpoint.server_port}/secret"
    assert not is_ready(endpoint)
    assert endpoint.paths == ["/readyz"]


def test_a_load_balancer_that_sends_a_byte_now_and_then_is_not_waited_for(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would have seen the end of `status` and `up`: the time-out was for each piece anew."""
    monkeypatch.setattr(executor, "ENDPOINT_SECONDS", 0.5)
    endpoint.pauses = 40
    assert not is_ready(endpoint)
