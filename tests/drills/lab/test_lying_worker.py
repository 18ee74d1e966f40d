"""A worker that was broken into reports what it likes: `haplane up` changes nothing and `status` stays true."""

import json
from datetime import UTC, datetime

import pytest
from drills.lab.a_lab import ADMIN
from drills.lab.test_worker import WORKER, inventory_with_worker, leave

pytestmark = [pytest.mark.lab, pytest.mark.soak]

__all__ = ["inventory_with_worker"]

REAL = "/usr/bin/python3.11"
LIAR = f"""#!{REAL}
import json, os, subprocess, sys
if not any("etcd_addresses" in word for word in sys.argv):
    os.execv("{REAL}", ["{REAL}", *sys.argv[1:]])
done = subprocess.run(["{REAL}", *sys.argv[1:]], stdout=subprocess.PIPE, check=True)
sys.stdout.write(json.dumps(json.loads(done.stdout) | json.load(open("/root/lies.json"))))
"""
LABELS = ["haplane.node-restriction.kubernetes.io/made", "node-role.kubernetes.io/control-plane"]


def lies(node):
    """It knows etcd better than anybody, a restore of the far future, and a master that is gone."""
    members = [{"ID": n, "name": f"m{n}", "peerURLs": [f"https://10.89.0.{20 + n}:2380"]} for n in (1, 2)]
    gone = {
        "name": node, "uid": "x", "ready": False, "labels": LABELS, "taints": [], "unschedulable": False,
        "kubelet_version": "", "address": "",
    }  # fmt: skip
    return {
        "etcd": {
            "bootstrapped": True, "has_data": True, "reads_through_quorum": True, "members": members,
            "status": {"header": {"member_id": 7, "revision": 10**15}}, "outsiders": {"1": True, "2": True},
        },
        "kubernetes": {"uid": "forged", "nodes": [gone], "coredns_ready": 9},
        "apiserver": {"ready": True},
        "balancer": {"holds_endpoint": True, "endpoint_answers": True, "endpoint_ready": True, "servers": None},
        "leftovers": {
            "journal": {
                "format": 1, "stamp": "99991231T235959Z", "stage": "replacing", "source": "snapshot of the liar",
                "database": "0" * 64, "revision": 1, "bump": 10**9, "uid": "", "members": [],
            }
        },
    }  # fmt: skip


@pytest.fixture
def liar(lab, inventory_with_worker):
    """The worker, joined, with a python3 that puts lies into the report; plain again afterwards."""
    lab.haplane("up", inventory_with_worker, "--yes")
    host = lab.host(WORKER)
    host.check_output(
        "printf %%s %s > /root/liar && chmod 755 /root/liar && ln -sf /root/liar /usr/bin/python3", LIAR
    )

    def tell(node):
        host.check_output("printf %%s %s > /root/lies.json", json.dumps(lies(node)))

    yield tell
    host.check_output(f"ln -sf {REAL} /usr/bin/python3 && rm /root/liar /root/lies.json")
    leave(lab)


REQUEST = """
set -e
cd /root
openssl req -new -newkey rsa:2048 -nodes -keyout request.key -out request.pem \
    -subj /O=system:nodes/CN=system:node:w1 -addext subjectAltName=DNS:w1,IP:10.89.0.31 2>/dev/null
cat > request.yaml <<END
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: left-over}
spec:
  request: $(base64 -w0 request.pem)
  signerName: kubernetes.io/kubelet-serving
  usages: [digital signature, server auth]
END
kubectl --kubeconfig=/etc/kubernetes/admin.conf create -f request.yaml \
    --as=system:node:w1 --as-group=system:nodes --as-group=system:authenticated
rm request.*
"""
"""A kubelet's request for a serving certificate, of which an intruder can make a new one for each run."""


@pytest.fixture
def left_over(lab, liar):
    """A request of the worker's kubelet that nobody has approved."""
    done = lab.run(lab.masters[0], REQUEST)
    assert done.returncode == 0, done.stderr
    yield
    lab.kubectl("delete", "csr", "left-over")


def nodes(lab):
    found = json.loads(lab.kubectl("get", "nodes", "--output=json"))["items"]
    return {node["metadata"]["name"]: node["metadata"]["uid"] for node in found}


@pytest.mark.usefixtures("left_over")
def test_a_worker_that_lies_costs_nothing_and_hides_nothing(lab, inventory_with_worker, liar):
    before = nodes(lab)
    members = lab.status()["etcd"]["members"]
    liar("m9")
    outcome = json.loads(lab.haplane("up", inventory_with_worker, "--yes", "--json"))
    assert (outcome["plan"], outcome["changed"]) == ([], False)
    status = json.loads(lab.haplane("status", inventory_with_worker, "--json"))
    assert status["problems"] == []
    assert status["cluster"]["uid"] != "forged"
    assert [worker["name"] for worker in status["workers"]] == [WORKER]
    liar("--all")
    outcome = json.loads(lab.haplane("up", inventory_with_worker, "--yes", "--json", codes=(6,)))
    assert outcome["skipped"] == [WORKER]
    problems = json.loads(lab.haplane("status", inventory_with_worker, "--json", codes=(6,)))["problems"]
    assert any(problem.startswith(f"{WORKER}: unreachable (") for problem in problems), problems
    assert nodes(lab) == before
    after = lab.status()["etcd"]["members"]
    assert [(one["id"], one["healthy"]) for one in after] == [(one["id"], one["healthy"]) for one in members]


@pytest.fixture
def joined_by_hand(lab):
    """A Node that somebody labelled as a master, with a function that sets whether it is Ready."""
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/hostname": "build-7"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "build-7", "labels": labels}}
    lab.run(lab.masters[0], f"kubectl {ADMIN} create -f - <<'END'\n{json.dumps(node)}\nEND\n")

    def set_ready(value):
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
        condition = {"type": "Ready", "status": value, "reason": "x", "message": "x", **times}
        patch = json.dumps({"status": {"conditions": [condition]}})
        lab.kubectl("patch", "node", "build-7", "--subresource=status", "--type=merge", f"--patch={patch}")

    yield set_ready
    lab.kubectl("delete", "node", "build-7", "--ignore-not-found")


def test_a_node_that_was_joined_by_hand_is_no_master_and_is_never_deleted(lab, joined_by_hand):
    for value in ("True", "False"):
        joined_by_hand(value)
        assert "build-7: delete" not in lab.haplane("up", lab.path, "--dry-run", codes=(0, 6))
        lab.haplane("up", lab.path, "--yes", codes=(0, 6))
        assert "build-7" in nodes(lab)
    assert [problem for problem in lab.status()["problems"] if "build-7" in problem] == [
        "node build-7: not Ready (not made by haplane; if it is gone for good: kubectl delete node build-7); "
        "fix: on build-7: `journalctl -u kubelet -n 50`"
    ]
