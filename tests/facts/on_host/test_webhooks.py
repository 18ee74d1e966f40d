"""Webhooks that do not answer, as an API server lists them; those at URLs by real connections."""

import base64
import json
import socket
import ssl
import threading
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from haplane.domain.cluster_health import Webhook
from haplane.facts.on_host import webhooks
from haplane.facts.on_host.webhooks import (
    MOST_SELECTED,
    WEBHOOKS,
    bounded,
    namespace_paths,
    own_objects,
    service_path,
    slices_path,
    unanswered,
    webhooks_with,
)
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files

VALIDATING, MUTATING = WEBHOOKS.values()


def silent(*configurations, more=None):
    listed = {VALIDATING: {"items": configurations}, MUTATING: {"items": []}}
    seen = unanswered(webhooks_with("Fail", listed), more or {})
    return [Webhook.model_validate(one) for one in json.loads(json.dumps(seen))]


def hook(url, authority=b"", policy="Fail"):
    client = {"url": url, "caBundle": base64.b64encode(authority).decode()}
    one = {"name": "a.example.org", "clientConfig": client, "rules": [{"resources": ["pods"]}]}
    return {"metadata": {"name": "policy"}, "webhooks": [one | {"failurePolicy": policy}]}


def test_a_webhook_at_a_url_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/validate"
    (one,) = silent(hook(url))
    assert (one.name, one.target, one.rules[0].resources) == ("policy", "", ("pods",))
    assert one.why.startswith(f"{url} does not answer: ")
    assert "refused" in one.why
    assert silent(hook(url, policy="Ignore")) == []


@pytest.mark.parametrize("stranger", [False, True])
def test_a_webhook_that_answers_with_its_certificate_or_with_anothers(tmp_path, stranger):
    ours = new_ca("policy", now=datetime.now(UTC))
    theirs = new_ca("policy", now=datetime.now(UTC)) if stranger else ours
    context = serving(theirs, "w1", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/validate"
        seen = silent(hook(url, ours.certificate))
        thread.join(5)
    assert ["certificate" in one.why for one in seen] == [True] * stranger


def of_service(authority=b"", port=None):
    one = hook("", authority)
    service = {"namespace": "x", "name": "guard"} | ({"port": port} if port else {})
    one["webhooks"][0]["clientConfig"] = {
        "service": service, "caBundle": base64.b64encode(authority).decode(),
    }  # fmt: skip
    return one


def behind(*ports, **spec):
    """A service of two ports, and a slice for each of these targets of the first."""
    told = {"ports": [{"name": "https", "port": 443}, {"name": "metrics", "port": 9090}]} | spec
    slices = [
        {
            "ports": [{"name": "metrics", "port": 1}, {"name": "https", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        }
        for port in ports
    ]
    return {service_path("x", "guard"): {"spec": told}, slices_path("x", "guard"): {"items": slices}}


def test_a_webhook_of_a_service_whose_only_pod_hangs_or_refuses(monkeypatch):
    """A pod that is ready and does not answer: everything that its webhook is for was refused, and status healthy."""
    monkeypatch.setattr(webhooks, "WEBHOOK_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        [hanging] = silent(of_service(), more=behind(port))
    assert hanging.why.startswith(f"127.0.0.1:{port} of its service x/guard does not answer: ")
    assert "timed out" in hanging.why
    [refusing] = silent(of_service(), more=behind(port))
    assert "refused" in refusing.why
    assert (refusing.target, refusing.partly) == ("x/guard", False)
    [absent] = silent(of_service(port=8443), more=behind(port))
    assert absent.why == "its service x/guard has no port 8443"


@pytest.mark.parametrize("name", ["guard.x.svc", "guard"])
def test_a_webhook_of_a_service_answers_by_the_name_that_api_servers_call_it_by(tmp_path, name):
    ours = new_ca("policy", now=datetime.now(UTC))
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server, serving(ours, name, tmp_path)), daemon=True).start()
        port = server.getsockname()[1]
        seen = silent(of_service(ours.certificate), more=behind(port))
    assert ["guard.x.svc" in one.why for one in seen] == [True] * (name != "guard.x.svc")


def test_a_webhook_of_which_another_endpoint_answers_refuses_a_part(tmp_path):
    ours = new_ca("policy", now=datetime.now(UTC))
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = gone.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server, serving(ours, "guard.x.svc", tmp_path)), daemon=True).start()
        [seen] = silent(of_service(ours.certificate), more=behind(server.getsockname()[1], closed))
    assert seen.partly
    assert seen.why.startswith(f"127.0.0.1:{closed} of ")


def test_all_that_decides_whether_it_is_called_is_reported():
    one = hook("https://127.0.0.1:1/v")
    one["webhooks"][0] |= {
        "namespaceSelector": {"matchLabels": {"team": "a"}},
        "objectSelector": {"matchExpressions": [{"key": "inject", "operator": "Exists"}]},
        "matchConditions": [{"name": "x", "expression": "true"}],
        "rules": [{"apiGroups": ["apps"], "resources": ["*"], "operations": ["CREATE"], "scope": "Namespaced"}],
    }
    [seen] = silent(one)
    assert seen.namespaces.match_labels == {"team": "a"}
    assert seen.objects.match_expressions[0].operator == "Exists"
    assert seen.conditional
    assert (seen.rules[0].api_groups, seen.rules[0].scope) == (("apps",), "Namespaced")


def test_a_selector_that_is_too_large_to_be_sent_selects_everything():
    large = {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"] * (MOST_SELECTED + 1)}]}
    assert bounded(large) == {}
    assert bounded(None) == {}


def test_objects_are_known_by_their_paths_each_kind_once():
    rbac = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    kept = {
        "/api/v1/namespaces/kube-public/configmaps/cluster-info": {"metadata": {}},
        "/api/v1/namespaces/kube-flannel": {"metadata": {"labels": {"a": "b"}}},
        f"{rbac}/system:coredns": {"metadata": {}},
        f"{rbac}/kubeadm:get-nodes": {"metadata": {}},
    }
    found = own_objects(kept, [], [])
    assert [(one["group"], one["resource"], one["namespace"], one["labels"]) for one in found] == [
        ("", "configmaps", "kube-public", {}),
        ("", "namespaces", "", {"a": "b"}),
        ("rbac.authorization.k8s.io", "clusterroles", "", {}),
    ]
    assert namespace_paths(found) == [
        f"/api/v1/namespaces/{name}" for name in ("kube-node-lease", "kube-public", "kube-system")
    ]


def serving(authority, name, directory):
    """What serves TLS by a certificate for that name."""
    files = kubelet_serving_files(authority, name, IPv4Address("127.0.0.1"), datetime.now(UTC))
    pair = directory / "pair.pem"
    pair.write_bytes(b"".join(files.values()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    return context


def serve(server, context):
    connection, _ = server.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()
