"""Pods that are tried and not made: what counts as a refusal, and what a real API server says to each."""

import socket
import ssl
import threading
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
import samples
from recovery.scratch.test_api_server import create, program, there

from haplane.domain.refusals import remedy
from haplane.facts.on_host import trials
from haplane.facts.on_host.trials import hindered, making, refused_pods, trial
from haplane.pki.ca import new_ca
from haplane.pki.kubelet_certificates import kubelet_serving_files
from haplane.recovery.scratch.api_server import _apiserver
from haplane.recovery.scratch.etcd import scratch_etcd
from haplane.waiting import wait_until

__all__ = ["program"]
PLACE = "/api/v1/namespaces/kube-system"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
SPEC = {"containers": [{"name": "c", "image": "x"}], "priorityClassName": "system-node-critical"}
PROXY = {
    "metadata": {"namespace": "kube-system", "name": "kube-proxy"},
    "spec": {"template": {"metadata": {"labels": {"k8s-app": "kube-proxy"}}, "spec": SPEC}},
}


@pytest.mark.parametrize(
    ("status", "message", "why"),
    [
        (201, "", None),
        (0, "", None),
        (429, "too many requests", None),
        (504, "request did not complete within the allotted timeout", None),
        (400, 'admission webhook "a.b" does not support dry run', None),
        (403, 'pods "kube-proxy-x7k2p" is forbidden: status unknown for quota: q, resources: pods', None),
        (403, 'pods "kube-proxy-x7k2p" is forbidden: exceeded quota: q', "exceeded quota: q"),
        (
            500,
            'Internal error occurred: failed calling webhook "a.b"',
            'Internal error occurred: failed calling webhook "a.b"',
        ),
    ],
)
def test_what_counts_as_a_refusal(status, message, why):
    """Not that an API server has no time, nor what is not known yet; and by words that are the same next time."""
    found = refused_pods([("DaemonSet", PROXY)], lambda _: (status, message))
    assert found == ({"kube-system/kube-proxy": why} if why else {})


def test_only_refusals_hinder():
    assert hindered(lambda _: (0, "")) == {}
    every = dict.fromkeys(
        ("kube-proxy", "endpointslice-controller", "leader/kube-scheduler", "leader/kube-controller-manager"), "no"
    )
    assert hindered(lambda _: (403, "no")) == every
    assert hindered(lambda _: (404, "there is none")) == hindered(lambda _: (409, "another is")) == {}


def test_kubelets_are_tried_by_what_one_of_them_writes():
    """A policy denied nodes' status: each node became NotReady, and status sent people to the kubelet's log."""
    pod = {"metadata": {"name": "kube-scheduler-m1"}, "spec": {"nodeName": "m1"}}
    why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
    seen = {}

    def attempt(write):
        method, path, body, headers = write
        seen[path] = headers.get("Impersonate-User")
        return (422, why) if path.endswith("/status") and method == "PATCH" and not body else (200, "")

    assert hindered(attempt, [pod]) == {"kubelet/nodes": why, "kubelet/pods": why}
    assert seen["/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/m1"] == "system:node:m1"
    assert remedy("nodes", why) == "`kubectl delete validatingadmissionpolicybinding b`"


@pytest.mark.parametrize(("answers", "named"), [([429, 429, 429], True), ([429, 200], False)])
def test_who_is_rejected_each_time_is_not_served(monkeypatch, answers, named):
    """A priority level without room, or a flow schema that leads there: all else is well."""
    monkeypatch.setattr(trials, "INSISTING_SECONDS", 0)
    left = iter(answers)
    found = trials.hindrance(
        ("GET", "/", {}, {}), lambda _: (next(left), "Too many requests, please try again later.")
    )
    assert found == ("HTTP 429: Too many requests, please try again later." if named else "")
    assert "flowschemas" in remedy("kube-system", "HTTP 429: x")


def test_trials_share_one_connection_and_outlive_its_end(tmp_path):
    """Each had a handshake of its own; an API server closes connections when it likes."""
    accepted = []

    def serve(server, context):
        for answers in (2, 1):
            connection, _ = server.accept()
            accepted.append(answers)
            with connection, context.wrap_socket(connection, server_side=True) as inside:
                for _ in range(answers):
                    while (received := inside.recv(8192)) and not received.endswith(b"{}"):
                        pass
                    inside.sendall(b'HTTP/1.1 403 X\r\nContent-Length: 16\r\n\r\n{"message":"no"}')
        server.close()

    with tls_server(tmp_path, serve) as (port, context), trials.trials(port, context) as attempt:
        assert [attempt(("GET", f"/{number}", {}, {})) for number in range(3)] == [(403, "no")] * 3
        assert attempt(("GET", "/4", {}, {})) == (0, ""), "nobody is there any more"
    assert accepted == [2, 1]


@contextmanager
def tls_server(tmp_path, serve):
    """Its port, and a context that trusts it."""
    ca, address = new_ca("kubernetes", now=datetime.now(UTC)), IPv4Address("127.0.0.1")
    (tmp_path / "server.pem").write_bytes(
        b"".join(kubelet_serving_files(ca, "m1", address, datetime.now(UTC)).values())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with socket.create_server((str(address), 0)) as server:
        thread = threading.Thread(target=serve, args=(server, context), daemon=True)
        thread.start()
        yield server.getsockname()[1], ssl.create_default_context(cadata=ca.certificate.decode())
        server.close()
        thread.join(5)


def test_a_pod_is_tried_as_its_controller_makes_it():
    for kind, maker in (("DaemonSet", "daemon-set-controller"), ("Deployment", "replicaset-controller")):
        method, path, body, headers = making(kind, PROXY)
        assert (method, path, body["spec"]) == ("POST", f"{PLACE}/pods", SPEC)
        assert headers["Impersonate-User"] == f"system:serviceaccount:kube-system:{maker}"


PODS = {
    "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
}
DENY = {"failurePolicy": "Fail", "matchConstraints": PODS, "validations": [{"expression": "false"}]}
BINDING = {"policyName": "deny", "validationActions": ["Deny"]}
QUOTA = {"hard": {"pods": "0"}, "used": {"pods": "3"}}
FAULTS = {
    "exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=0": f"{PLACE}/resourcequotas/q",
    "minimum cpu usage per Pod is 1": f"{PLACE}/limitranges/l",
    "ValidatingAdmissionPolicy 'deny' with binding 'b' denied": f"{ADMISSION}/validatingadmissionpolicybindings/b",
}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
BOUND = {
    "metadata": {"name": "kubeadm:node-proxier"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-proxier"},
    "subjects": [{"kind": "ServiceAccount", "namespace": "kube-system", "name": "kube-proxy"}],
}
SPECS = {
    "q": {"hard": {"pods": "0"}},
    "l": {"limits": [{"type": "Pod", "min": {"cpu": "1"}}]},
    "b": BINDING,
}


@pytest.mark.bundle
def test_a_real_api_server_says_what_it_would_refuse_and_makes_nothing(tools, program, tmp_path):
    with (
        scratch_etcd(tools, tmp_path / "data") as etcd,
        _apiserver(program, etcd, samples.identity(), tools) as client,
    ):
        port = int(client.base.rpartition(":")[2])

        def attempt(write):
            return trial(port, client.context, (*write[:3], write[3] | client.headers), 30)

        def refusal():
            return refused_pods([("DaemonSet", PROXY)], attempt).get("kube-system/kube-proxy", "")

        def delete(path):
            asked = urllib.request.Request(client.base + path, headers=client.headers, method="DELETE")
            urllib.request.build_opener(urllib.request.HTTPSHandler(context=client.context)).open(asked).close()

        wait_until(lambda: there(client, PLACE), 60, "the API server has made its namespaces")
        create(client, f"{PLACE}/serviceaccounts", {"metadata": {"name": "default"}})
        create(client, f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": "deny"}, "spec": DENY})
        wait_until(lambda: not refusal(), 60, "nothing refuses the pod")
        for said, path in FAULTS.items():
            collection, _, name = path.rpartition("/")
            create(client, collection, {"metadata": {"name": name}, "spec": SPECS[name]})
            if name == "q":
                client.patch(f"{path}/status", {"status": QUOTA})
            wait_until(lambda said=said: said in refusal(), 30, said, why=refusal)
            delete(path)
            wait_until(lambda: not refusal(), 30, "nothing refuses the pod again")
        assert client.get(f"{PLACE}/pods")["items"] == []
        create(client, f"{RBAC}/clusterrolebindings", BOUND)
        wait_until(
            lambda: hindered(attempt) == {}, 30, "all may do what they are for", why=lambda: str(hindered(attempt))
        )
        for path in (
            "clusterroles/system:node-proxier",
            "clusterrolebindings/system:controller:endpointslice-controller",
        ):
            delete(f"{RBAC}/{path}")
        both = {"kube-proxy", "endpointslice-controller"}
        wait_until(lambda: set(hindered(attempt)) == both, 30, "neither does", why=lambda: str(hindered(attempt)))
        assert "cannot" in hindered(attempt)["kube-proxy"]
