"""HTTPS requests of the checks, against real TLS servers."""

import http.server
import ssl
import threading
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from haplane.checks.host_facts import HttpAnswer
from haplane.checks.on_host.https import request_with_retries
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.issue import Usage, issue

NOW = datetime.now(UTC)
IDENTITY = ClusterIdentity.generate("demo", NOW)
BOTH = (Usage.SERVER, Usage.CLIENT)
LEAF = issue(IDENTITY.etcd, "m1", addresses=(IPv4Address("127.0.0.1"),), usages=BOTH, now=NOW)
FOREIGN = issue(IDENTITY.kubernetes, "stranger", usages=BOTH, now=NOW)


@pytest.fixture
def pki(tmp_path):
    (tmp_path / "ca.crt").write_bytes(IDENTITY.etcd.certificate)
    for name, pair in (("leaf", LEAF), ("foreign", FOREIGN)):
        (tmp_path / f"{name}.crt").write_bytes(pair.certificate)
        (tmp_path / f"{name}.key").write_bytes(pair.private_key)
        (tmp_path / f"{name}.key").chmod(0o600)
    return tmp_path


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def serve(pki, request):
    servers = []

    def start(*, wants_certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[request.param]
        context.load_cert_chain(pki / "leaf.crt", pki / "leaf.key")
        if wants_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(pki / "ca.crt")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"https://127.0.0.1:{server.server_port}/readyz"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Ready(http.server.BaseHTTPRequestHandler):
    troubles = 0

    def do_GET(self):
        if self.troubles:
            Ready.troubles -= 1
            self.send_response(500)
        else:
            self.send_response(200 if self.path == "/readyz" else 401)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def ask(pki, url, client=None, *, wait=False, old=False):
    question = {
        "url": url,
        "ca": str(pki / "ca.crt"),
        "certificate": client and str(pki / f"{client}.crt"),
        "key": client and str(pki / f"{client}.key"),
        "wait": wait,
        "old": old,
    }
    return HttpAnswer.model_validate(request_with_retries(**question))


def test_requests_to_a_server_that_wants_certificates(pki, serve):
    url = serve(wants_certificate=True)
    accepted = ask(pki, url, "leaf")
    assert (accepted.status, accepted.refused) == (200, False)
    assert accepted.served == CertificateFacts.from_pem(LEAF.certificate).fingerprint
    assert ask(pki, url, wait=True).refused
    assert ask(pki, url, "foreign", wait=True).refused


def test_a_server_that_takes_anybody_is_not_called_refusing(pki, serve):
    answer = ask(pki, serve(wants_certificate=False), wait=True)
    assert (answer.status, answer.refused) == (200, False)


@pytest.mark.parametrize(("troubles", "status"), [(2, 200), (3, 500)])
def test_a_server_in_trouble_is_asked_again(pki, serve, monkeypatch, troubles, status):
    monkeypatch.setattr(Ready, "troubles", troubles)
    assert ask(pki, serve(wants_certificate=False)).status == status


def test_a_server_that_speaks_no_tls_1_1_refuses_it(pki, serve):
    answer = ask(pki, serve(wants_certificate=False), old=True)
    assert (answer.status, answer.refused) == (None, True), answer


def test_a_server_that_speaks_tls_1_1_is_found_out(pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.deprecated_call():
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(pki / "leaf.crt", pki / "leaf.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer = ask(pki, f"https://127.0.0.1:{server.server_port}/readyz", old=True)
    server.shutdown()
    server.server_close()
    assert (answer.status, answer.refused) == (200, False), answer


def test_nobody_listening_and_no_authority_are_no_refusals(pki, tmp_path):
    answer = ask(pki, "https://127.0.0.1:1/readyz", wait=True)
    assert (answer.status, answer.refused) == (None, False)
    assert "refused" in str(answer)
    assert "absent: " in str(ask(tmp_path / "nowhere", "https://127.0.0.1:1/"))
