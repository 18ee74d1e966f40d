"""Writes of which an API server stores nothing: which there are, and what a real one makes of them."""

import json

import pytest
import samples
from recovery.scratch.test_api_server import create, program, there

from haplane.facts.on_host import dry_runs
from haplane.facts.on_host.kubernetes import NODES
from haplane.facts.on_host.workloads import RECORD
from haplane.recovery.scratch.api_server import _apiserver
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.waiting import wait_until

__all__ = ["program"]
KUBELET_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubelet-config"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
OF_FLANNEL = "/apis/apps/v1/namespaces/kube-system/daemonsets/flannel"
TEMPLATE = {"metadata": {"labels": {"app": "flannel"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
FLANNEL = {
    "metadata": {"namespace": "kube-system", "name": "flannel", "managedFields": [{"manager": "haplane"}]},
    "spec": {"template": TEMPLATE},
}
FOUND = {
    RECORD: {"data": {"objects": json.dumps({KUBELET_CONFIG: "", OF_FLANNEL: ""})}},
    OF_FLANNEL: FLANNEL,
    NODES: {"items": []},
}


def test_what_is_written_is_what_was_applied_and_pods_of_that():
    every = list(dry_runs.writes(FOUND))
    assert [(method, path) for method, path, *_ in every] == [
        ("PATCH", KUBELET_CONFIG),
        ("PATCH", OF_FLANNEL),
        ("PATCH", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"),
        ("PATCH", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler"),
        ("POST", "/api/v1/namespaces/kube-system/pods"),
    ]
    assert every[-1][2]["metadata"] == {"generateName": "flannel-", "labels": {"app": "flannel"}}


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ('Internal error occurred: failed calling webhook "a.b": failed to call webhook: refused', ["a.b"]),
        ('admission webhook "a.b" denied the request: no', []),
        ("not found", []),
    ],
)
def test_only_a_webhook_that_was_not_reached_is_named(message, refused):
    assert list(dry_runs.refusal_in(message)) == refused


def hook(name, expression, resources):
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": resources}
    one = {
        "name": f"{name}.example.org", "clientConfig": {"url": "https://127.0.0.1:1/v"}, "rules": [rule],
        "matchConditions": [{"name": "c", "expression": expression}],
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return kind | {"metadata": {"name": name}, "webhooks": [one]}


@pytest.mark.bundle
def test_a_real_api_server_decides_what_conditions_mean_and_stores_nothing(tools, program, tmp_path, monkeypatch):
    system = "request.namespace == 'kube-system'"
    controller = "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')"
    with (
        scratch_etcd(tools, tmp_path / "data") as etcd,
        _apiserver(program, etcd, samples.identity(), tools) as client,
    ):
        places = "/api/v1/namespaces/kube-system"
        wait_until(lambda: there(client, places), 60, "the API server has made its namespaces")
        create(client, f"{places}/configmaps", {"metadata": {"name": "kubelet-config"}, "data": {"a": "b"}})
        create(client, f"{places}/serviceaccounts", {"metadata": {"name": "default"}})
        before = client.get(KUBELET_CONFIG)
        create(client, HOOKS, hook("spares", f"!({system})", ["configmaps", "pods"]))
        create(client, HOOKS, hook("takes", system, ["configmaps"]))
        create(client, HOOKS, hook("pods", controller, ["pods"]))
        monkeypatch.setattr(dry_runs, "credentials", lambda _: client.context)
        port = int(client.base.rpartition(":")[2])
        every = [(*write[:3], write[3] | client.headers) for write in dry_runs.writes(FOUND)]
        names = {"spares.example.org", "takes.example.org", "pods.example.org"}

        def seen():
            return sorted(dry_runs.tried(port, "", every, names)["refused"])

        wait_until(lambda: len(seen()) == 2, 60, "the API server has read its webhooks")
        assert seen() == ["pods.example.org", "takes.example.org"]
        assert client.get(KUBELET_CONFIG) == before
        assert client.get(f"{places}/pods")["items"] == []
