"""Servers of other hosts that send a byte now and then, for ever: one of them kept every host's report waiting."""

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from haplane.facts.on_host import components, haproxy, kubelet, kubernetes, peers, probe, serving, tokens
from haplane.host_programs import PACKAGE
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files

ANSWER = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
BYTES, PAUSE, SECONDS = 40, 0.1, 0.5
"""So many bytes of a header come before the answer ends: together later than anybody should wait."""


def drip(connection):
    """An answer of which each byte is in time."""
    with connection, contextlib.suppress(OSError):
        connection.recv(4096)
        head, end = ANSWER[:-2], ANSWER[-2:]
        connection.sendall(head + b"X: ")
        for _ in range(BYTES):
            time.sleep(PAUSE)
            connection.sendall(b"x")
        connection.sendall(b"\r\n" + end)


@contextlib.contextmanager
def dripping(server, context=None):
    """A server of that kind, with TLS if there is a ``context``; its address."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with contextlib.suppress(OSError):
                    drip(context.wrap_socket(connection, server_side=True) if context else connection)

    with server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """The port of one with a certificate of the cluster's CA, which clients trust by a file."""
    authority = new_ca("kubernetes", now=datetime.now(UTC))
    files = kubelet_serving_files(authority, "w1", IPv4Address("127.0.0.1"), datetime.now(UTC))
    (tmp_path / "pair.pem").write_bytes(b"".join(files.values()))
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    real = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: real(cafile=str(tmp_path / "ca.crt")))
    monkeypatch.setattr(serving, "presents", lambda _: True)
    with dripping(socket.create_server(("127.0.0.1", 0)), context) as (_, port):
        yield port


@pytest.mark.parametrize(
    ("seconds", "ask", "known"),
    [
        (None, lambda port, _: kubernetes.why_not_ready("127.0.0.1", port, SECONDS), "/readyz: .*timed out"),
        ((serving, "HANDSHAKE_SECONDS"), lambda port, _: serving.unverified("127.0.0.1", port), "None"),
        ((peers, "PEER_SECONDS"), lambda port, trust: peers.answers_at(f"https://127.0.0.1:{port}", trust), "False"),
        ((tokens, "TOKEN_SECONDS"), lambda port, trust: tokens.is_unknown("t", "127.0.0.1", port, trust), "False"),
        ((components, "PATIENCE"), lambda _, __: components.health("kube-scheduler"), ".*timed out"),
    ],
    ids=["endpoint", "kubelet", "member", "API server", "component"],
)
def test_an_answer_is_waited_for_no_longer_than_its_seconds(tls, monkeypatch, seconds, ask, known):
    if seconds is not None:
        monkeypatch.setattr(*seconds, SECONDS)
    monkeypatch.setattr(components, "HEALTH_PORTS", {"kube-scheduler": tls})
    assert re.fullmatch(known, str(ask(tls, ssl.create_default_context())))


def test_what_listens_without_tls_is_waited_for_no_longer(monkeypatch):
    monkeypatch.setattr(kubelet, "KUBELET_SECONDS", SECONDS)
    with dripping(socket.create_server(("127.0.0.1", 0))) as (_, port):
        assert kubelet.why_unhealthy(port) == "/healthz: timed out"


def test_a_socket_in_haproxys_old_place_is_waited_for_no_longer(tmp_path, monkeypatch):
    """Its user can put one there."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "admin.sock"))
    server.listen()
    monkeypatch.setattr(haproxy, "ADMIN_SOCKETS", (str(tmp_path / "admin.sock"),))
    monkeypatch.setattr(haproxy, "ADMIN_SECONDS", SECONDS)
    with dripping(server):
        assert haproxy.haproxy_servers() is None


def test_the_next_answer_on_the_same_connection_is_read_as_well():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as connection:
                for _ in range(3):
                    connection.recv(4096)
                    connection.sendall(ANSWER)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        connection = probe.PlainConnection("127.0.0.1", server.getsockname()[1], timeout=60)
        for _ in range(3):
            connection.request("GET", "/")
            with connection.getresponse() as answer:
                assert (answer.status, answer.read()) == (401, b"")
        connection.close()
        serving.join(10)


def test_every_program_of_the_observer_asks_so():
    """http.client's own connections wait for each byte anew."""
    own = re.compile(r"http\.client\.HTTPS?Connection\(")
    asking = [*PACKAGE.glob("facts/on_host/*.py"), *PACKAGE.glob("checks/on_host/*.py")]
    assert [path.name for path in asking if own.search(Path(path).read_text(encoding="utf-8"))] == []
    assert http.client.HTTPConnection.response_class is http.client.HTTPResponse
