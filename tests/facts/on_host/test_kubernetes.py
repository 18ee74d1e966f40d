"""What a master's observer reports of the cluster, and of requests for kubelets' serving certificates."""

import base64
import ssl
from datetime import UTC, datetime

import pytest
from serving_kubelet import kubelet

from haplane.facts.on_host import kubernetes
from haplane.pki.ca import new_ca


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
