"""The kubelet and the API server of a host, by real sockets and files."""

import base64
import http.server
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from observing import observe

from haplane.domain.host_condition import Kubelet
from haplane.facts.on_host import kubelet
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_client, kubelet_serving_files

CONFIG = "clusters:\n- cluster:\n    server: https://127.0.0.1:1\n"
LOG = """2026-11-29T10:00:00.1Z stderr F I1129 10:00:00.100000       1 options.go:237] external host was not specified
2026-11-29T10:00:00.2Z stderr F E1129 10:00:00.200000       1 run.go:72] "command failed" err="bind: in use"
2026-11-29T10:00:00.3Z stderr F I1129 10:00:00.300000       1 server.go:1] bye
"""


@pytest.fixture
def health(request):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("health", "why"), [(200, ""), (500, "/healthz: HTTP 500")], indirect=["health"])
def test_a_kubelets_own_health(health, why):
    assert kubelet.why_unhealthy(health) == why


def test_a_kubelet_that_does_not_listen_and_reaches_no_server(tmp_path):
    config = tmp_path / "kubelet.conf"
    config.write_text(CONFIG)
    moved = {"/etc/kubernetes/kubelet.conf": config}
    found = observe(
        moved=moved,
        edited=(("KUBELET_HEALTH_PORT, KUBELET_SECONDS = 10248", "KUBELET_HEALTH_PORT, KUBELET_SECONDS = 1"),),
    ).kubelet
    assert "Connection refused" in found.unhealthy
    assert found.unserved.startswith("https://127.0.0.1:1: ")


def test_a_host_that_is_no_node_has_none():
    assert observe().kubelet.unhealthy == ""


def test_the_last_error_of_a_container_is_read_from_the_newest_log(tmp_path, monkeypatch):
    monkeypatch.setattr(kubelet, "POD_LOGS", str(tmp_path))
    directory = tmp_path / "kube-system_kube-apiserver-m1_0123" / "kube-apiserver"
    assert kubelet.last_error_of("kube-apiserver") == ""
    directory.mkdir(parents=True)
    (directory / "7.log").write_text("x" * 70_000 + "\n" + LOG)
    assert kubelet.last_error_of("kube-apiserver") == '"command failed" err="bind: in use"'


@contextmanager
def api_server(tmp_path, authority, answer):
    """One that knows clients of that CA alone, and its port."""
    files = kubelet_serving_files(authority, "m1", IPv4Address("127.0.0.1"), datetime.now(UTC))
    (tmp_path / "server.pem").write_bytes(b"".join(files.values()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")

    def serve(server):
        connection, _ = server.accept()
        with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
            inside.recv(4096)
            inside.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize(
    ("stranger", "answer", "why"),
    [
        (False, b"200 OK", ""),
        (False, b"401 Unauthorized", "HTTP 401"),
        (False, b"403 Forbidden", ""),
        (True, b"200 OK", "CERTIFICATE_VERIFY_FAILED: "),
    ],
)
def test_a_kubelet_that_would_get_no_other_connection(tmp_path, monkeypatch, stranger, answer, why):
    """Its node was Ready for as long as the one it had lasted."""
    ours, now = new_ca("kubernetes", now=datetime.now(UTC)), datetime.now(UTC)
    theirs = new_ca("kubernetes", now=now) if stranger else ours
    client = kubelet_client(ours, "w1", now)
    (tmp_path / "client.pem").write_bytes(client.certificate + client.private_key)
    monkeypatch.setattr(kubelet, "KUBELET_CLIENT_PEM", str(tmp_path / "client.pem"))
    config = f"    certificate-authority-data: {base64.b64encode(ours.certificate).decode()}\n"
    with api_server(tmp_path, theirs, answer) as port:
        found = kubelet.why_refused(f"https://127.0.0.1:{port}", config)
    assert found.startswith(f"https://127.0.0.1:{port}: {why}" if why else "")
    assert bool(found) is bool(why)
    assert Kubelet(unserved=found).is_refused is bool(why)
