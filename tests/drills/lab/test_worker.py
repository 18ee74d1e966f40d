"""A plain machine becomes a worker: by the inventory, and again by the command that `haplane up` prints."""

import json
import shlex

import pytest

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

WORKER = "w1"


@pytest.fixture
def inventory_with_worker(stage, tmp_path):
    """The lab's inventory with the plain machine in the group `workers`."""
    lines = (stage.root / stage.path).read_text().splitlines()
    kept = [line for line in lines if "extra_hosts" not in line]
    path = tmp_path / "lab.py"
    path.write_text("\n".join([*kept, f'workers = ([_host("{WORKER}", 31)], _ssh)', ""]))
    return str(path)


@pytest.fixture
def plain_again(stage):
    """Afterwards it is no node any more, and `haplane status` knows nothing of it."""
    yield
    leave(stage)


def leave(stage):
    """It keeps what any worker of any cluster has: programs, images, containerd, the kubelet. Nothing of this one."""
    stage.kubectl("delete", "node", WORKER, "--ignore-not-found", "--wait=true")
    stage.host(WORKER).check_output(
        "kubeadm reset --force && rm -rf /etc/cni/net.d/* /etc/kubernetes /run/flannel /var/lib/cni && "
        "{ ip link delete cni0 || true; }"
    )


def is_ready(stage):
    nodes = json.loads(stage.kubectl("get", "nodes", "--output=json"))["items"]
    conditions = [c for node in nodes if node["metadata"]["name"] == WORKER for c in node["status"]["conditions"]]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def runs_a_pod(stage):
    """The smallest there is: the pause image, which every node has."""
    manifest = load_manifest(default_directory(stage.inventory.cluster.kubernetes_version))
    pause = next(image.reference for image in manifest.images if "/pause:" in image.reference)
    overrides = json.dumps({"apiVersion": "v1", "spec": {"nodeName": WORKER}})
    stage.kubectl("run", "guest", f"--image={pause}", "--restart=Never", f"--overrides={overrides}")
    try:
        stage.kubectl("wait", "--for=condition=Ready", "pod/guest", "--timeout=60s")
    finally:
        stage.kubectl("delete", "pod", "guest", "--now", "--wait=true")


def test_a_plain_machine_joins_by_the_inventory_and_by_the_printed_command(stage, inventory_with_worker, plain_again):
    stage.haplane("up", inventory_with_worker, "--yes")
    assert is_ready(stage)
    runs_a_pod(stage)
    leave(stage)
    ignored = ",".join(stage.inventory.cluster.tuning.ignored_preflight_checks)
    command = [*shlex.split(stage.join_command()), f"--ignore-preflight-errors={ignored}"]
    stage.host(WORKER).check_output(" ".join(["%s"] * len(command)), *command)
    wait_until(lambda: is_ready(stage), 60, f"{WORKER} is Ready")
    runs_a_pod(stage)
