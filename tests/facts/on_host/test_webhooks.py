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
from haplane.facts.on_host.webhooks import (
    MOST_SELECTED,
    WEBHOOKS,
    bounded,
    namespace_paths,
    own_objects,
    strict_webhooks,
    unanswered,
)
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files

VALIDATING, MUTATING = WEBHOOKS.values()


def silent(*configurations):
    listed = {VALIDATING: {"items": configurations}, MUTATING: {"items": []}}
    return [Webhook.model_validate(one) for one in json.loads(json.dumps(unanswered(strict_webhooks(listed), {})))]


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
    files = kubelet_serving_files(theirs, "w1", IPv4Address("127.0.0.1"), datetime.now(UTC))
    pair = tmp_path / "pair.pem"
    pair.write_bytes(b"".join(files.values()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/validate"
        seen = silent(hook(url, ours.certificate))
        thread.join(5)
    assert ["certificate" in one.why for one in seen] == [True] * stranger


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


def serve(server, context):
    connection, _ = server.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()
