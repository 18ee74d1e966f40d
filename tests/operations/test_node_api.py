"""What leaves a master of the API's objects, and what is sent to the API server."""

import io
import json
import socket
import struct
import time

import pytest
import zoo

from haplane.domain.drain.cluster import parse_workloads
from haplane.facts.on_host import kubelet_sizes
from haplane.operations.on_host import hand_over_address, node_api
from haplane.operations.run import on_host
from haplane.procedures.node_api import CORDONED

RICH = zoo.pod(
    "it",
    zoo.owner("ReplicaSet", "web"),
    annotations={"kubernetes.io/config.mirror": "x", "batch.kubernetes.io/job-index-failure-count": "1"},
    finalizers=["a/b"],
    deletionTimestamp="2026-11-29T01:00:10Z",
    nodeSelector={"disk": "ssd"},
    overhead={"cpu": "1m"},
    resources={"requests": {"cpu": "2m"}},
    topologySpreadConstraints=[
        {
            "maxSkew": 2,
            "minDomains": 3,
            "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"a": "b"}},
            "nodeAffinityPolicy": "Ignore",
            "nodeTaintsPolicy": "Honor",
        }
    ],
    restartPolicy="Never",
    priority=10,
    preemptionPolicy="Never",
    resourceClaims=[{"name": "gpu", "resourceClaimName": "hidden"}],
    terminationGracePeriodSeconds=3600,
    affinity={
        "nodeAffinity": {
            node_api.REQUIRED: {"nodeSelectorTerms": [{"matchFields": [{"key": "a", "operator": "Exists"}]}]}
        },
        "podAntiAffinity": {
            node_api.REQUIRED: [
                {
                    "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
                    "namespaceSelector": {},
                    "topologyKey": "zone",
                }
            ]
        },
    },
    tolerations=[{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
    volumes=[
        zoo.volume("a", emptyDir={"medium": "Memory"}),
        zoo.volume("b", hostPath={"path": "/srv", "type": "Directory"}),
        zoo.volume("c", persistentVolumeClaim={"claimName": "data"}),
        zoo.volume("d", ephemeral={"volumeClaimTemplate": {"spec": {}}}),
        zoo.volume("e", secret={"secretName": "hidden"}),
        zoo.volume("f", csi={"driver": "x", "readOnly": True, "nodePublishSecretRef": {"name": "hidden"}}),
        zoo.volume("g", gitRepo={"repository": "https://hidden@git.example.com/x"}),
        zoo.volume("h", flexVolume={"driver": "x", "readOnly": True, "options": {"password": "hidden"}}),
    ],
    container={
        "env": [{"name": "PASSWORD", "value": "s3cret"}],
        "volumeMounts": [{"name": "b", "mountPath": "/b", "readOnly": True}],
        "ports": [{"hostPort": 80, "hostIP": "192.0.2.1"}],
    },
)
PINNED = zoo.owned("ReplicaSet", "web", on="n1")
PINNED["spec"]["template"]["spec"]["containers"] = [{"env": [{"name": "PASSWORD", "value": "hidden"}]}]
DOCUMENT = {
    "pods": ([RICH], node_api.POD),
    "nodes": ([zoo.node("n1", taints=[{"key": "gpu", "effect": "NoSchedule"}], cordoned=True)], node_api.NODE),
    "namespaces": (
        [{"metadata": {"name": "default", "uid": "d", "labels": {"a": "b"}}, "spec": {"finalizers": ["kubernetes"]}}],
        node_api.LISTS["namespaces"][1],
    ),
    "budgets": (
        [zoo.budget("web", {"a": "b"}, allowed=1, healthy=2, desired=1, expected=2, failure="no scale")],
        node_api.BUDGET,
    ),
    "jobs": ([zoo.job("sum", failed=1, limit=2, per_index=1, on_eviction="Ignore", on="n1")], node_api.JOB),
    "owners": ([PINNED], node_api.OWNER),
    "claims": ([zoo.claim("data", "ReadWriteOnce", volume="pv")], node_api.CLAIM),
    "volumes": ([zoo.local_volume("pv", "n1")], node_api.VOLUME),
}


def test_all_that_decides_leaves_the_host_and_nothing_that_may_be_secret():
    whole = {name: items for name, (items, _) in DOCUMENT.items()}
    sent = {name: node_api.pruned(items, keep) for name, (items, keep) in DOCUMENT.items()}
    assert parse_workloads("m1", json.dumps(sent).encode()) == parse_workloads("m1", json.dumps(whole).encode())
    noted = node_api.pruned({"metadata": {"annotations": {"last-applied": "s3cret"}}}, node_api.POD)
    assert "s3cret" not in json.dumps([sent, noted])
    assert "hidden" not in json.dumps(sent)


def test_the_program_is_whole_and_agrees_on_the_annotation():
    compile(on_host("node_api"), "node_api", "exec")
    compile(on_host("hand_over_address"), "hand_over_address", "exec")
    assert node_api.CORDONED == CORDONED


class Server(node_api.Api):
    """Answers from a table; remembers what was sent."""

    def __init__(self, answers):
        self.answers, self.sent = answers, []

    def request(self, method, path, body=None, **_):
        self.sent.append((method, path, body))
        return self.answers.get((method, path.partition("?")[0]), (404, None))


def test_an_eviction_is_of_that_very_pod_and_a_refusal_is_told():
    paths = ["/api/v1/namespaces/a/pods/x/eviction", "/api/v1/namespaces/a/pods/y/eviction"]
    answers = {("POST", paths[0]): (201, {}), ("POST", paths[1]): (429, {"message": "budget"})}
    server = Server(answers)
    pods = json.dumps([["a", "x", "1"], ["a", "y", "2"], ["a", "gone", "3"]])
    assert node_api.evict(server, pods) == {"2": "HTTP 429: budget"}
    assert [body["deleteOptions"]["preconditions"]["uid"] for _, _, body in server.sent] == ["1", "2", "3"]


BUDGET_WORDS = "Cannot evict pod as it would violate the pod's disruption budget."
CAUSE = {
    "reason": "DisruptionBudget",
    "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"message": BUDGET_WORDS, "details": {"causes": [CAUSE]}}, f"{BUDGET_WORDS} {CAUSE['message']}"),
        ({"message": BUDGET_WORDS, "details": {"causes": [7, {}]}}, BUDGET_WORDS),
        ("Too many requests, please try again later.\n", "Too many requests, please try again later."),
        (None, "no words"),
    ],
)
def test_a_refusal_has_all_of_the_api_servers_own_words(answer, said):
    """Its message names no budget, the cause does; of an API server that has too much to do it is a text."""
    path = "/api/v1/namespaces/a/pods/x/eviction"
    server = Server({("POST", path): (429, answer)})
    assert node_api.evict(server, json.dumps([["a", "x", "1"]])) == {"1": f"HTTP 429: {said}"}


def test_what_is_no_json_is_kept_as_a_text():
    class Connection:
        def request(self, *_):
            pass

        def getresponse(self):
            answer = io.BytesIO(b"Too many requests")
            answer.status = 429
            return answer

    api = node_api.Api.__new__(node_api.Api)
    api._connection = Connection()
    assert api.request("GET", "/") == (429, "Too many requests")


def test_names_cannot_leave_their_place_in_a_path():
    server = Server({})
    node_api.evict(server, json.dumps([["a/b", "../c?d", "1"]]))
    assert server.sent[0][1] == "/api/v1/namespaces/a%2Fb/pods/..%2Fc%3Fd/eviction"


@pytest.mark.parametrize(("cordoned", "sent"), [(False, 2), (True, 1)])
def test_a_node_that_somebody_cordoned_is_not_noted_as_ours(cordoned, sent):
    path = "/api/v1/nodes/n1"
    server = Server({("GET", path): (200, {"spec": {"unschedulable": cordoned}}), ("PATCH", path): (200, {})})
    node_api.cordon(server, "n1", "reboot")
    assert len(server.sent) == sent


def test_a_list_is_read_to_its_end_page_by_page():
    pages = [{"items": [1, 2], "metadata": {"continue": "x"}}, {"items": None, "metadata": {}}]
    server = Server({})
    server.get = lambda path, accept="": pages.pop(0)
    assert server.items("/api/v1/pods", True) == [1, 2]


def test_sizes_are_of_pods_volumes():
    volumes = [{"name": "cache", "usedBytes": 7}, {"name": "unknown"}]
    assert kubelet_sizes.used_bytes({"pods": [{"podRef": {"uid": "u"}, "volume": volumes}]}, 1) == {"u/cache": 7}


def summary(*volumes, uid="u"):
    return {"pods": [{"podRef": {"uid": uid}, "volume": list(volumes)}]}


def sizes(count):
    return [{"name": str(number), "usedBytes": 1} for number in range(count)]


ODD = {
    "hello": "hello",
    "a list": [],
    "pods that are none": {"pods": ["x"]},
    "a long uid": summary(*sizes(1), uid="u" * 500),
    "many volumes": summary(*sizes(50_001)),
    "a large size": summary({"name": "x", "usedBytes": 1 << 80}),
    "an endless one": summary({"name": "x", "usedBytes": float("inf")}),
    "a negative one": summary({"name": "x", "usedBytes": -1}),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_kubelet_that_reports_anything_is_drained_all_the_same(odd):
    """Its own drain, patch and removal ended, and a master was named."""
    server = Server({})
    server.items = lambda *_, **__: []
    server.sizes = lambda node, _, most: kubelet_sizes.used_bytes(odd if node == "w1" else summary(*sizes(1)), most)
    found = parse_workloads("m1", json.dumps(node_api.everything(server, "w1", "w2")).encode())
    assert list(found.unknown) == ["sizes on w1"] and found.used_bytes == {"u/0": 1}


class Trickle:
    def __init__(self, piece):
        self.piece = piece

    def read1(self, _):
        return self.piece


def test_a_kubelet_s_report_is_read_to_its_bounds_only():
    with pytest.raises(OSError, match="more than 1 MiB"):
        kubelet_sizes.whole(Trickle(b"x" * 1000), 1 << 20, time.monotonic() + 60)
    with pytest.raises(OSError, match="in time"):
        kubelet_sizes.whole(Trickle(b"x"), 1 << 20, time.monotonic() - 1)


def frame(sender, address):
    return b"\xff" * 6 + sender + struct.pack("!H", 0x0806) + b"\0" * 8 + sender + address + b"\0" * 10


def test_the_address_has_left_once_another_host_announces_it(monkeypatch):
    monkeypatch.setattr(hand_over_address, "TAKE_SECONDS", 0.3)
    ours, other = b"\x02" * 6, b"\x04" * 6
    address = socket.inet_aton("10.0.0.10")

    class Listener:
        def __init__(self, *frames):
            self.frames = list(frames)

        def getsockname(self):
            return ("eth0", 0x0806, 0, 1, ours)

        def settimeout(self, _):
            pass

        def recv(self, _):
            if not self.frames:
                raise TimeoutError
            return self.frames.pop(0)

    elsewhere = frame(other, socket.inet_aton("10.0.0.99"))
    assert not hand_over_address.is_announced(Listener(frame(ours, address), elsewhere), address)
    assert hand_over_address.is_announced(Listener(frame(ours, address), elsewhere, frame(other, address)), address)
