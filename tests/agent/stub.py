"""S3 servers that no program would write: each test says how its own responds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from haplane.agent.settings import S3Settings


class Request(BaseHTTPRequestHandler):
    """One request, its body read already."""

    protocol_version = "HTTP/1.1"
    respond: Callable[[Request], None]
    body = b""

    def handle_request(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).respond(self)

    do_GET = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Connections that the client drops are what is tested."""


@contextmanager
def stub(respond: Callable[[Request], None], directory: Path) -> Iterator[S3Settings]:
    """Settings of a bucket that is served so, on loopback and in plain text."""
    handler = type("Stub", (Request,), {"respond": staticmethod(respond)})
    server = Quiet(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    credentials = directory / "stub-credentials"
    credentials.write_text("[default]\naws_access_key_id = access\naws_secret_access_key = secret\n")
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield S3Settings("backups", endpoint_url=url, credentials_file=str(credentials))
    finally:
        server.shutdown()
        server.server_close()
