"""What a master's observer says of kubelets' serving certificates, against real TLS servers."""

import socket
import ssl
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from serving_kubelet import ADDRESS, kubelet

from haplane.facts.on_host import serving
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files


@pytest.mark.parametrize(
    ("stranger", "address", "why"),
    [(False, ADDRESS, None), (True, ADDRESS, "certificate"), (False, IPv4Address("10.0.0.9"), "IP address mismatch")],
)
def test_a_certificate_is_verified_as_api_servers_do(tmp_path, monkeypatch, stranger, address, why):
    ours = new_ca("kubernetes", now=datetime.now(UTC))
    (tmp_path / "ca.crt").write_bytes(ours.certificate)
    real = ssl.create_default_context
    monkeypatch.setattr(serving.ssl, "create_default_context", lambda **_: real(cafile=str(tmp_path / "ca.crt")))
    theirs = new_ca("kubernetes", now=datetime.now(UTC)) if stranger else ours
    with kubelet(tmp_path, theirs, address) as port:
        told = serving.unverified(str(ADDRESS), port)
    assert told is None if why is None else why in told


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [(b"404 Not Found", ""), (b"403 Forbidden", "HTTP 403"), (b"401 Unauthorized", "HTTP 401"), (b"500 No", "")],
)
def test_a_kubelet_that_lets_no_api_server_read_logs_is_not_called_well(tmp_path, monkeypatch, answer, refuses):
    """Somebody deleted the role system:kubelet-api-admin, or gave a worker another CA: nodes stay Ready."""
    ours = new_ca("kubernetes", now=datetime.now(UTC))
    (tmp_path / "ca.crt").write_bytes(ours.certificate)
    for path, content in kubelet_serving_files(ours, "m1", ADDRESS, datetime.now(UTC)).items():
        (tmp_path / f"client{path[-4:]}").write_bytes(content)
    monkeypatch.setattr(serving, "KUBELET_CLIENT", str(tmp_path / "client.crt"))
    real = ssl.create_default_context
    monkeypatch.setattr(serving.ssl, "create_default_context", lambda **_: real(cafile=str(tmp_path / "ca.crt")))
    with kubelet(tmp_path, ours, answer=answer) as port:
        (found,) = serving.with_serving([{"name": "w1", "ready": True, "address": str(ADDRESS), "port": port}])
    assert (found["refuses"], found["unverified"], found["closed"]) == (refuses, None, False)


def test_who_cannot_be_asked_is_not_called_unverified(tmp_path, monkeypatch):
    with socket.create_server((str(ADDRESS), 0)) as server:
        port = server.getsockname()[1]
    real = ssl.create_default_context
    monkeypatch.setattr(serving.ssl, "create_default_context", lambda **_: real())
    assert serving.unverified(str(ADDRESS), port) == serving.CLOSED
    ready = {"name": "w1", "ready": True, "address": str(ADDRESS), "port": port}
    (found,) = serving.with_serving([ready])
    assert (found["unverified"], found["closed"]) == (None, True)


@pytest.mark.parametrize("address", ["a b", "10.0.0.9\n", "kubelet.example.org", "", "::1%lo/x", "\N{EN SPACE}"])
def test_a_kubelet_that_reports_no_address_hides_no_other_node(monkeypatch, address):
    """One blank in it and no master reported any Node; a name was looked up, as slowly as its owner likes."""
    monkeypatch.setattr(serving, "presents", lambda _: True)
    real = ssl.create_default_context
    monkeypatch.setattr(serving.ssl, "create_default_context", lambda **_: real())
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it was looked up"))
    (found,) = serving.with_serving([{"name": "w1", "ready": True, "address": address, "port": 10250}])
    assert (found["unverified"], found["closed"], found["refuses"]) == (None, False, "")
