"""A real HTTPS server with client certificates that answers like an API server, and can be told to fail like one."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from urllib.parse import parse_qs, urlsplit

import pytest

from haplane.drills.probing.client import Target
from haplane.pki.ca import new_ca
from haplane.pki.issue import Usage, issue


class ApiServer:
    """``fail`` is None, "500", "hang" (answers after the deadline) or "refuse" (connections are reset).

    With ``forgets`` it acknowledges writes and keeps none.
    """

    def __init__(self, directory):
        now = datetime.now(UTC)
        authority = new_ca("test", now=now)
        server = issue(authority, "server", usages=[Usage.SERVER], now=now, addresses=[IPv4Address("127.0.0.1")])
        client = issue(authority, "admin", usages=[Usage.CLIENT], now=now)
        (directory / "server.pem").write_bytes(server.certificate + server.private_key)
        (directory / "ca.pem").write_bytes(authority.certificate)
        self.fail = None
        self.stored = {}
        self.forgets = False
        self.deleted = []
        self.healed = threading.Event()
        self.connections = 0
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=directory / "ca.pem")
        self._context.load_cert_chain(directory / "server.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._http = Server(self, self._context)
        self.target = Target(
            "127.0.0.1",
            self._http.server_port,
            authority.certificate.decode(),
            client.certificate.decode(),
            client.private_key.decode(),
        )

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.healed.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api, context):
        self.api = api
        self._context = context
        super().__init__(("127.0.0.1", 0), Handler)

    def finish_request(self, request, client_address):
        self.api.connections += 1
        if self.api.fail == "refuse":
            return
        with self._context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)

    def handle_error(self, request, client_address):
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = urlsplit(self.path).path.rpartition("/")[2]
        if name == "configmaps":
            self._answer(self._list())
        elif name.startswith("write-"):
            self._answer(self.server.api.stored.get(name, {}), 200 if name in self.server.api.stored else 404)
        else:
            self._answer({"metadata": {"name": "kube-system"}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.api.fail != "500" and not self.server.api.forgets:
            self.server.api.stored[body["metadata"]["name"]] = body
        self._answer(body, 201)

    def do_DELETE(self):
        self.server.api.deleted.append(self.path)
        self._answer({})

    def _list(self):
        query = parse_qs(urlsplit(self.path).query)
        start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        items = [item for item in self.server.api.stored.values() if item.get("kind") != "Namespace"]
        more = str(start + limit) if start + limit < len(items) else ""
        return {"metadata": {"continue": more}, "items": items[start : start + limit]}

    def _answer(self, document, status=200):
        if self.server.api.fail == "hang":
            self.server.api.healed.wait(5)
        content = json.dumps(document).encode()
        self.send_response(500 if self.server.api.fail == "500" else status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(tmp_path):
    with ApiServer(tmp_path).running() as running:
        yield running


@pytest.fixture
def stranger(tmp_path_factory):
    with ApiServer(tmp_path_factory.mktemp("stranger")).running() as running:
        yield running
