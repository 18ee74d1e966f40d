"""What a master's observer says of kubelets' serving certificates, against real TLS servers."""

import base64
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from haplane.facts.on_host import kubernetes
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files

ADDRESS = IPv4Address("127.0.0.1")


@contextmanager
def kubelet(directory, authority, address=ADDRESS, answer=b""):
    """A server that shows a certificate of that CA for this address, and its port; it has one answer."""
    files = kubelet_serving_files(authority, "w1", address, datetime.now(UTC))
    pair = directory / "pair.pem"
    pair.write_bytes(b"".join(files.values()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server((str(ADDRESS), 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context, answer), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def serve(server, context, answer=b""):
    connection, _ = server.accept()
    with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
        if answer:
            inside.recv(4096)
            inside.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("stranger", "address", "why"),
    [(False, ADDRESS, None), (True, ADDRESS, "certificate"), (False, IPv4Address("10.0.0.9"), "IP address mismatch")],
)
def test_a_certificate_is_verified_as_api_servers_do(tmp_path, monkeypatch, stranger, address, why):
    ours = new_ca("kubernetes", now=datetime.now(UTC))
    (tmp_path / "ca.crt").write_bytes(ours.certificate)
    real = ssl.create_default_context
    monkeypatch.setattr(kubernetes.ssl, "create_default_context", lambda **_: real(cafile=str(tmp_path / "ca.crt")))
    theirs = new_ca("kubernetes", now=datetime.now(UTC)) if stranger else ours
    with kubelet(tmp_path, theirs, address) as port:
        told = kubernetes.unverified(str(ADDRESS), port)
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
    monkeypatch.setattr(kubernetes, "KUBELET_CLIENT", str(tmp_path / "client.crt"))
    real = ssl.create_default_context
    monkeypatch.setattr(kubernetes.ssl, "create_default_context", lambda **_: real(cafile=str(tmp_path / "ca.crt")))
    with kubelet(tmp_path, ours, answer=answer) as port:
        (found,) = kubernetes.with_serving([{"name": "w1", "ready": True, "address": str(ADDRESS), "port": port}])
    assert (found["refuses"], found["unverified"], found["closed"]) == (refuses, None, False)


def test_who_cannot_be_asked_is_not_called_unverified(tmp_path, monkeypatch):
    with socket.create_server((str(ADDRESS), 0)) as server:
        port = server.getsockname()[1]
    real = ssl.create_default_context
    monkeypatch.setattr(kubernetes.ssl, "create_default_context", lambda **_: real())
    assert kubernetes.unverified(str(ADDRESS), port) == kubernetes.CLOSED
    ready = {"name": "w1", "ready": True, "address": str(ADDRESS), "port": port}
    (found,) = kubernetes.with_serving([ready])
    assert (found["unverified"], found["closed"]) == (None, True)


@pytest.mark.parametrize("address", ["a b", "10.0.0.9\n", "kubelet.example.org", "", "::1%lo/x", "\N{EN SPACE}"])
def test_a_kubelet_that_reports_no_address_hides_no_other_node(monkeypatch, address):
    """One blank in it and no master reported any Node; a name was looked up, as slowly as its owner likes."""
    monkeypatch.setattr(kubernetes, "presents", lambda _: True)
    real = ssl.create_default_context
    monkeypatch.setattr(kubernetes.ssl, "create_default_context", lambda **_: real())
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it was looked up"))
    (found,) = kubernetes.with_serving([{"name": "w1", "ready": True, "address": address, "port": 10250}])
    assert (found["unverified"], found["closed"], found["refuses"]) == (None, False, "")


def test_only_requests_that_nobody_has_decided_on_are_shown():
    spec = {"signerName": kubernetes.SIGNER, "username": "system:node:w9", "request": base64.b64encode(b"PEM")}
    items = [
        {"metadata": {"name": "csr-1"}, "spec": spec},
        {"metadata": {"name": "csr-2"}, "spec": spec, "status": {"conditions": [{"type": "Approved"}]}},
    ]
    [found] = kubernetes.pending(items)
    assert (found["name"], found["pem"], found["username"]) == ("csr-1", "PEM", "system:node:w9")


def asked_for(name, number):
    spec = {"signerName": kubernetes.SIGNER, "username": f"system:node:{name}", "request": base64.b64encode(b"PEM")}
    made = f"2026-12-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    return {"metadata": {"name": f"csr-{number:03}", "creationTimestamp": made}, "spec": spec}


def api_of(monkeypatch, requests):
    """An API server with these requests of kubelets, in pages of 100, and no Node."""

    def ask(port, config, paths, **how):
        found = {kubernetes.NODES: {"items": []}}
        for path in paths:
            if path.startswith(kubernetes.SERVING_REQUESTS):
                start = int(path.partition("&continue=")[2] or 0)
                more = {"continue": str(start + 100)} if start + 100 < len(requests) else {}
                found[path] = {"metadata": more, "items": requests[start : start + 100]}
        return found

    monkeypatch.setattr(kubernetes, "ask", ask)
    monkeypatch.setattr(kubernetes, "read", lambda _: "config")
    return ask


def test_any_number_of_one_kubelets_requests_hides_no_others(monkeypatch):
    """A worker made a hundred, which are listed first, and nodes that joined by hand got no certificate any more."""
    api_of(monkeypatch, [asked_for("bad", number) for number in range(350)] + [asked_for("w9", 999)])
    found = kubernetes.kubernetes(6443, [])["serving_requests"]
    assert [one["name"] for one in found] == ["csr-347", "csr-348", "csr-349", "csr-999"]


def test_requests_that_are_too_large_to_be_listed_hide_no_nodes(monkeypatch):
    ask = api_of(monkeypatch, [])

    def late(port, config, paths, **how):
        if any(path.startswith(kubernetes.SERVING_REQUESTS) for path in paths):
            raise TimeoutError("timed out")
        return ask(port, config, paths, **how)

    monkeypatch.setattr(kubernetes, "ask", late)
    found = kubernetes.kubernetes(6443, [])
    assert (found["nodes"], found["serving_requests"]) == ([], [])


def test_an_answer_of_any_length_is_not_read_into_memory(monkeypatch, tmp_path):
    ours = new_ca("kubernetes", now=datetime.now(UTC))
    (tmp_path / "ca.crt").write_bytes(ours.certificate)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    monkeypatch.setattr(kubernetes, "credentials", lambda _: trusting)
    monkeypatch.setattr(kubernetes, "MOST_ANSWER_BYTES", 100)
    answering = kubelet(tmp_path, ours, answer=b"200 OK\r\nX: y\r\n\r\n" + b"x" * 200)
    with answering as port, pytest.raises(OSError, match="more than"):
        kubernetes.ask(port, "config", ["/x"])
