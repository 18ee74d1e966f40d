"""A plain machine becomes a worker: by the inventory, and again by the command that `haplane up` prints."""

import json
import shlex

import pytest

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.domain import host_paths
from haplane.domain.plan import MADE_LABEL
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

WORKER = "w1"
AS_KUBELET = """
import ssl, sys, urllib.error, urllib.request
url, ca, client, patch = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(client)
kind = {"Content-Type": "application/merge-patch+json"}
request = urllib.request.Request(url, patch.encode(), kind, method="PATCH")
try:
    print(urllib.request.urlopen(request, context=context, timeout=20).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@pytest.fixture
def inventory_with_worker(lab, tmp_path):
    """The lab's inventory with the plain machine in the group `workers`."""
    lines = (lab.root / lab.path).read_text().splitlines()
    kept = [line for line in lines if "extra_hosts" not in line]
    path = tmp_path / "lab.py"
    path.write_text("\n".join([*kept, f'workers = ([_host("{WORKER}", 31)], _ssh)', ""]))
    return str(path)


@pytest.fixture
def plain_again(lab):
    """Afterwards it is no node any more, and `haplane status` knows nothing of it."""
    yield
    leave(lab)


def leave(lab):
    """It keeps what any worker of any cluster has: programs, images, containerd, the kubelet. Nothing of this one."""
    lab.kubectl("delete", "node", WORKER, "--ignore-not-found", "--wait=true")
    lab.host(WORKER).check_output(
        "kubeadm reset --force && rm -rf /etc/cni/net.d/* /etc/kubernetes /run/flannel /var/lib/cni && "
        "{ ip link delete cni0 || true; } && ip route flush root 10.244.0.0/16"
    )


def is_ready(lab):
    nodes = json.loads(lab.kubectl("get", "nodes", "--output=json"))["items"]
    conditions = [c for node in nodes if node["metadata"]["name"] == WORKER for c in node["status"]["conditions"]]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def runs_a_pod(lab):
    """The smallest there is: the pause image, which every node has."""
    manifest = load_manifest(default_directory(lab.inventory.cluster.kubernetes_version))
    pause = manifest.reference("pause")
    overrides = json.dumps({"apiVersion": "v1", "spec": {"nodeName": WORKER}})
    lab.kubectl("run", "guest", f"--image={pause}", "--restart=Never", f"--overrides={overrides}")
    try:
        lab.kubectl("wait", "--for=condition=Ready", "pod/guest", "--timeout=60s")
    finally:
        lab.kubectl("delete", "pod", "guest", "--now", "--wait=true")


def labels_itself(lab, label):
    """The status that the API server answers the worker's own kubelet with."""
    url = f"https://{lab.inventory.cluster.endpoint}/api/v1/nodes/{WORKER}"
    patch = json.dumps({"metadata": {"labels": {label: ""}}})
    words = ("python3", "-c", AS_KUBELET, url, host_paths.KUBERNETES_CA_CRT, host_paths.KUBELET_CLIENT_PEM, patch)
    return int(lab.host(WORKER).check_output(" ".join(["%s"] * len(words)), *words))


def test_a_plain_machine_joins_by_the_inventory_and_by_the_printed_command(lab, inventory_with_worker, plain_again):
    lab.haplane("up", inventory_with_worker, "--yes")
    assert is_ready(lab)
    runs_a_pod(lab)
    leave(lab)
    ignored = ",".join(lab.inventory.cluster.tuning.ignored_preflight_checks)
    command = [*shlex.split(lab.join_command()), f"--ignore-preflight-errors={ignored}"]
    lab.host(WORKER).check_output(" ".join(["%s"] * len(command)), *command)
    wait_until(lambda: is_ready(lab), 60, f"{WORKER} is Ready")
    runs_a_pod(lab)
    said = [one for one in lab.status()["problems"] if one.startswith(f"{WORKER}: API servers cannot verify")]
    assert "`haplane up" in "".join(said), lab.status()["problems"]
    done = json.loads(lab.haplane("up", lab.path, "--yes", "--json"))
    assert done["plan"] == ["the cluster: approve kubelet serving certificates (1 for their own names and addresses)"]
    assert lab.kubectl("get", "--raw", f"/api/v1/nodes/{WORKER}/proxy/healthz") == "ok"
    assert labels_itself(lab, "example.org/own") == 200
    assert labels_itself(lab, MADE_LABEL) == 403, "it would be taken for a Node that haplane made"
