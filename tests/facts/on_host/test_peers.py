"""Members that are asked as peers ask each other: by TLS."""

import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address

import pytest

from haplane.facts.on_host import peers
from haplane.facts.on_host.peers import reached_peers
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """Of the members, whose peers' keys are where the program looks for them."""
    made = new_ca("etcd", now=datetime.now(UTC))
    files = kubelet_serving_files(made, "m1", IPv4Address("127.0.0.1"), datetime.now(UTC))
    (tmp_path / "pair.pem").write_bytes(b"".join(files.values()))
    (tmp_path / "ca.crt").write_bytes(made.certificate)
    monkeypatch.setattr(peers, "PEER_CA", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(peers, "PEER_CERTIFICATE", str(tmp_path / "pair.pem"))
    monkeypatch.setattr(peers, "PEER_KEY", str(tmp_path / "pair.pem"))
    return tmp_path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def member(authority):
    """The port of one that answers by TLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "pair.pem")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def listed(*urls):
    return [{"ID": number, "peerURLs": [url]} for number, url in enumerate(urls, 10)]


def test_those_that_answer_are_reached_whatever_they_answer(member):
    members = listed("https://192.0.2.1:2380", f"https://127.0.0.1:{member}", "https://127.0.0.1:1", "nonsense")
    assert reached_peers(members, own=10) == ["b"]


def test_without_a_peers_keys_nothing_is_known(authority):
    (authority / "pair.pem").unlink()
    assert reached_peers(listed("https://127.0.0.1:1"), own=1) is None
