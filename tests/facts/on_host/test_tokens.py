"""Tokens of service accounts: whether API servers know each other's, against servers that answer as they would."""

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from haplane.domain.tokens import Tokens
from haplane.facts.on_host import tokens
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files

CA = new_ca("kubernetes", now=datetime.now(UTC))
LOOPBACK = "127.0.0.1"


@contextmanager
def api_server(tmp_path, *answers):
    """Gives each request one answer, a status and a body; yields its port and what was asked."""
    files = kubelet_serving_files(CA, "m1", IPv4Address(LOOPBACK), datetime.now(UTC))
    (tmp_path / "server.pem").write_bytes(b"".join(files.values()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    asked = []

    def serve(server):
        for status, body in answers:
            connection, _ = server.accept()
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
                asked.append(inside.recv(8192).decode())
                if "POST" in asked[-1] and "{" not in asked[-1]:
                    inside.recv(8192)  # its body
                text = json.dumps(body)
                inside.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join(5)


@pytest.fixture(autouse=True)
def trusted(tmp_path, monkeypatch):
    (tmp_path / "ca.crt").write_bytes(CA.certificate)
    real = ssl.create_default_context

    def trusting(**_):
        return real(cafile=str(tmp_path / "ca.crt"))

    monkeypatch.setattr(tokens.ssl, "create_default_context", trusting)
    monkeypatch.setattr(tokens, "read", lambda path: "admin.conf")
    monkeypatch.setattr(tokens, "credentials", lambda config: trusting())


@pytest.mark.parametrize(("status", "unknown"), [(200, ()), (403, ()), (401, (LOOPBACK,)), (503, ())])
def test_an_api_server_that_does_not_know_anothers_tokens(tmp_path, status, unknown):
    """What it may do is another question, and so is an API server that does not serve."""
    issued = (201, {"status": {"token": "abc"}})
    with api_server(tmp_path, issued, (status, {})) as (port, asked):
        found = Tokens.model_validate(tokens.tokens(port, [LOOPBACK]))
    assert found == Tokens(unknown_at=unknown)
    assert "Authorization: Bearer abc" in asked[1]


@pytest.mark.parametrize(
    ("status", "refused"),
    [(403, "admission webhook denied"), (404, ""), (429, ""), (500, "admission webhook denied")],
)
def test_why_no_token_is_issued(tmp_path, status, refused):
    with api_server(tmp_path, (status, {"message": "admission webhook denied"})) as (port, _):
        assert Tokens.model_validate(tokens.tokens(port, [LOOPBACK])) == Tokens(refused=refused)


def test_where_nobody_answers_nothing_is_known():
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    assert tokens.tokens(port, [LOOPBACK]) == {}
