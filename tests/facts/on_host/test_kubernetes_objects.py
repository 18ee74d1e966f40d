"""The cluster as an API server reports it to the observer on its host."""

import base64
import http.server
import json
import ssl
import threading

import pytest
import samples
from observing import observe

from haplane.domain import host_paths
from haplane.facts.on_host.pods import why_dns_lacks

PEM = samples.identity().etcd.certificate.decode()
SERVER = f"{host_paths.ETCD_PKI}/server"


@pytest.fixture
def answering(tmp_path):
    """Starts an HTTPS server that answers every request with this code, or each path with this; gives its port."""
    leaf = samples.leaves(samples.host("m1", 21))
    (tmp_path / "server.pem").write_bytes(b"".join(leaf[path] for path in (SERVER + ".crt", SERVER + ".key")))
    servers = []

    def start(code: int, told: dict[str, object] | None = None) -> int:
        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                known = self.path in (told or {})
                text = json.dumps(told[self.path]).encode() if known else b""
                self.send_response(200 if known else code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def told(tmp_path, answering):
    """The cluster as the observer has it from an API server that tells this by path, and else answers with a code."""
    leaf = samples.leaves(samples.host("m1", 21))
    held = {
        "certificate-authority": PEM.encode(),
        "client-certificate": leaf[SERVER + ".crt"],
        "client-key": leaf[SERVER + ".key"],
    }
    config = tmp_path / "admin.conf"
    config.write_text("".join(f"    {name}-data: {base64.b64encode(text).decode()}\n" for name, text in held.items()))

    def look(answers, code=404):
        moved = {"/etc/kubernetes/admin.conf": config}
        return observe(moved=moved, apiserver_port=answering(code, answers)).kubernetes

    return look


NODES, SYSTEM = "/api/v1/nodes", "/api/v1/namespaces/kube-system"
KUBE_SYSTEM = {"metadata": {"name": "kube-system", "uid": "cluster-1"}}
HAPLANE = {"metadata": {"name": "haplane"}, "data": {"applied": "as this says"}}


def test_an_api_server_tells_its_nodes_and_what_was_applied(told):
    ready = {"type": "Ready", "status": "True"}
    node = {"metadata": {"name": "m1", "uid": "1"}, "spec": {}, "status": {"conditions": [ready]}}
    dns = {"metadata": {"name": "coredns"}, "status": {"readyReplicas": 2}}
    found = told({
        NODES: {"items": [node]},
        SYSTEM: KUBE_SYSTEM,
        f"{SYSTEM}/configmaps/haplane": HAPLANE,
        "/apis/apps/v1/namespaces/kube-system/deployments/coredns": dns,
    })  # fmt: skip
    assert [(node.name, node.ready) for node in found.nodes] == [("m1", True)]
    assert (found.uid, found.objects, found.applied) == ("cluster-1", ("coredns", "haplane"), "as this says")
    assert found.coredns_ready == 2


@pytest.mark.parametrize(
    ("deployment", "why"),
    [
        ({"spec": {"replicas": 0}}, "its deployment has 0 replicas"),
        ({"spec": {"replicas": 1}}, "its deployment has 1 replica"),
        (
            {
                "status": {
                    "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: x"}]
                }
            },
            "FailedCreate: exceeded quota: x",
        ),
        ({}, ""),
    ],
)
def test_why_dns_has_no_pods_at_all(deployment, why):
    assert why_dns_lacks(deployment, []) == why


BETWEEN_TWO_STARTS = {
    "restartCount": 7,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
    "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
}


def test_what_keeps_pods_from_being_placed_is_reported(told):
    conditions = [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]
    conditions.append({"type": "PIDPressure", "status": "False"})
    node = {"metadata": {"name": "m1", "uid": "1"}, "spec": {}, "status": {"conditions": conditions}}
    unplaced = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    waiting = {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}
    crashing = {"containerStatuses": [{"name": "coredns", **BETWEEN_TWO_STARTS}]}
    for status, why in (
        ({"conditions": [unplaced]}, "0/1 nodes are available"),
        (waiting, "ErrImagePull: no such image"),
        (crashing, "crashes repeatedly: coredns last ended Error, exit 1, 7 restarts"),
        ({}, ""),
    ):
        pods = {"items": [{"status": status}]}
        path = f"{SYSTEM}/pods?labelSelector=k8s-app%3Dkube-dns&limit=20"
        found = told({NODES: {"items": [node]}, SYSTEM: KUBE_SYSTEM, path: pods})
        assert found.nodes[0].pressures == ("DiskPressure",)
        assert (found.coredns_ready, found.coredns_why) == (0, why)


@pytest.mark.parametrize(
    ("metadata", "verb"),
    [({}, ""), ({"annotations": None}, ""), ({"annotations": {"haplane/cordoned": "reboot", "x": "y"}}, "reboot")],
)
def test_who_cordoned_a_node_is_reported(told, metadata, verb):
    node = {"metadata": {"name": "m1", "uid": "1", **metadata}, "spec": {"unschedulable": True}, "status": {}}
    (found,) = told({NODES: {"items": [node]}, SYSTEM: KUBE_SYSTEM}).nodes
    assert (found.unschedulable, found.cordoned_by) == (True, verb)


def test_what_runs_a_nodes_containers_is_reported(told):
    info = {"kubeletVersion": "v1.35.4", "containerRuntimeVersion": "containerd://1.7.24"}
    node = {"metadata": {"name": "m1", "uid": "1"}, "spec": {}, "status": {"nodeInfo": info}}
    (found,) = told({NODES: {"items": [node]}, SYSTEM: KUBE_SYSTEM}).nodes
    assert (found.kubelet_version, found.runtime_version) == ("v1.35.4", "containerd://1.7.24")


def test_a_node_without_a_status_is_one_node_and_not_the_end_of_the_report(told):
    odd = {"metadata": {"name": "odd", "uid": "1"}, "spec": {}, "status": {}}
    found = told({NODES: {"items": [odd]}, SYSTEM: KUBE_SYSTEM})
    assert [(node.name, node.ready, node.address) for node in found.nodes] == [("odd", False, "")]
    assert (found.objects, found.applied) == ((), None)


@pytest.mark.parametrize("answers", [{}, {NODES: {"items": []}}, {NODES: "odd", SYSTEM: KUBE_SYSTEM}])
def test_an_api_server_that_tells_only_a_part_tells_nothing(told, answers):
    assert told(answers, code=503) is None


@pytest.mark.parametrize(("code", "ready"), [(200, True), (500, False)])
def test_every_host_asks_the_endpoint(answering, code, ready):
    report = observe(endpoint_address="127.0.0.1", endpoint_port=answering(code))
    assert report.balancer.endpoint_ready is ready
    assert report.balancer.endpoint_unreached == "", "a connection can be made"
