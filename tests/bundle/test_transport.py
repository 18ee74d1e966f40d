"""Proxies, passwords and certificates: as people have them, and none shown."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from haplane.bundle.credentials import Credentials
from haplane.bundle.download import ATTEMPTS
from haplane.errors import BadInput, HaplaneError, Refused

from .conftest import Mirror, site_of

ADDRESS = "https://site.test/v1/tool"


class _Handler(BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        self.server.seen.append((self.path, self.headers["Proxy-Authorization"]))  # type: ignore[attr-defined]
        self.send_error(403)

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Proxy-Authorization"]))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def proxy() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def netrc(directory: Path, text: str, mode: int = 0o600) -> Credentials:
    path = directory / "netrc"
    path.write_text(text)
    path.chmod(mode)
    return Credentials.find(path)


def test_a_proxy_of_the_environment_is_used(proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass%20word@127.0.0.1:{proxy.server_port}")
    with pytest.raises(HaplaneError) as caught:
        site_of().document(ADDRESS)
    assert proxy.seen[0] == ("site.test:443", "Basic bWU6cGFzcyB3b3Jk")
    assert "pass" not in str(caught.value)


def test_a_proxy_is_not_used_for_what_no_proxy_names(proxy, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    assert site_of("http://mirror.test").document(ADDRESS) == b"{}"
    assert proxy.seen == [("http://mirror.test/site.test/v1/tool", None)]
    mirror.add("site.test/v1/tool", b"direct")
    for listed in ("127.0.0.1", "192.0.2.0/24,127.0.0.0/8"):
        monkeypatch.setenv("NO_PROXY", listed)
        assert mirror.site().document(ADDRESS) == b"direct"


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1080", "http://me:secret@proxy:port"])
def test_a_proxy_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(BadInput, match="proxy cannot be used") as caught:
        site_of().document(ADDRESS)
    assert "secret" not in str(caught.value)


def test_a_password_goes_to_its_host_alone(mirror: Mirror, storage: Mirror, tmp_path: Path) -> None:
    storage.add("site.test/v1/tool", b"content")
    storage.signed, mirror.behind = True, storage
    site = site_of(mirror.url, credentials=netrc(tmp_path, "machine 127.0.0.1 login me password secret"))
    assert site.document(ADDRESS) == b"content"
    assert mirror.seen[0]["Authorization"] == "Basic bWU6c2VjcmV0"
    assert storage.seen[0]["Authorization"] is None


def test_no_password_goes_over_http_to_another_machine(tmp_path: Path) -> None:
    credentials = netrc(tmp_path, "machine mirror.test login me password secret")
    with pytest.raises(BadInput, match="not sent over http") as caught:
        site_of("http://mirror.test", credentials=credentials).document(ADDRESS)
    assert "secret" not in str(caught.value)


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    credentials = netrc(tmp_path, "machine a.test login me password secret", 0o644)
    assert credentials.of("other.test") is None
    with pytest.raises(Refused, match=r"others can read.*\n.*\n.*chmod 600"):
        credentials.of("a.test")


def test_a_netrc_that_cannot_be_read_is_named_and_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="line 2") as caught:
        netrc(tmp_path, "machine a.test login me password secret\nsecret word\n").of("a.test")
    assert "secret" not in str(caught.value)
    with pytest.raises(BadInput, match="no such netrc"):
        Credentials.find(tmp_path / "absent")


def test_the_default_entry_is_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert netrc(tmp_path, "default login me password secret").of("a.test") is None
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert Credentials.find(None).path == tmp_path / "netrc"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A site whose certificate only its own CA file trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, address = datetime.now(UTC), x509.IPAddress(IPv4Address("127.0.0.1"))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(pem)
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "server.pem").write_bytes(pem + key.private_bytes(*encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen = []  # type: ignore[attr-defined]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", tmp_path / "ca.pem"
    server.shutdown()
    server.server_close()


def test_a_certificate_is_trusted_with_its_ca(secured, monkeypatch: pytest.MonkeyPatch) -> None:
    url, ca_file = secured
    with pytest.raises(HaplaneError, match=r"the server's certificate is not trusted[\s\S]*--ca-file"):
        site_of(url).document(ADDRESS)
    assert site_of(url, ca_file=ca_file).document(ADDRESS) == b"{}"
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert site_of(url).document(ADDRESS) == b"{}"


def test_a_server_that_hangs_up_during_the_handshake_has_no_untrusted_certificate() -> None:
    """As busy ones and proxies do; it is asked again."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(ATTEMPTS):
                connection, _ = server.accept()
                connection.recv(1 << 16)
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(HaplaneError, match=r"a download failed[\s\S]*EOF occurred"):
            site_of(f"https://127.0.0.1:{server.getsockname()[1]}").document(ADDRESS)


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(BadInput, match="CA file cannot be used"):
        site_of("https://127.0.0.1:9", ca_file=tmp_path / "ca.pem").document(ADDRESS)
