"""Every host of a lab is rebooted one after the other, under load, and nothing is lost that was not named before."""

import json
import secrets
import time

import pytest
from lab_cpu import sessions_held_back
from node_probe import cut_and_failed, measured, moments, named, pods_of, surprises, words

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.probing.writes import make_namespace, remove_namespace
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh

pytestmark = [pytest.mark.lab, pytest.mark.soak]

WORKER = "w1"
MASTERS_TOO = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
SPREAD = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
        ]
    }
}


@pytest.fixture(scope="module")
def with_worker(lab, tmp_path_factory):
    """The lab's inventory with the plain machine as a worker, that is one; afterwards it is plain again."""
    lines = (lab.root / lab.path).read_text().splitlines()
    path = tmp_path_factory.mktemp("nodes") / "lab.py"
    kept = [line.replace('"w1": f"{_NETWORK}.31", ', "") for line in lines]
    path.write_text("\n".join([*kept, f'workers = ([_host("{WORKER}", 31)], _ssh)', ""]))
    lab.haplane("up", path, "--yes")
    yield str(path)
    removed = lab.haplane("node", "remove", path, WORKER, "--yes", "--force")
    assert f"{path}:{len(kept) + 1}" in removed
    assert WORKER not in lab.kubectl("get", "nodes", "--output=name")
    assert lab.host(WORKER).run("ls /etc/kubernetes/pki /var/lib/kubelet/pki").stdout == ""
    lab.haplane("up", lab.path, "--yes")


def deployment(name, image, replicas, **spec):
    labels = {"app": name}
    containers = [{"name": "c", "image": image}]
    pod = {"terminationGracePeriodSeconds": 2, "containers": containers, "tolerations": MASTERS_TOO, **spec}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def budget(minimum):
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": minimum, "selector": {"matchLabels": {"app": "web"}}},
    }


@pytest.fixture
def pods(lab, with_worker):
    """A namespace with what people run: two replicas under a budget, one alone, one with local data, a bare pod."""
    manifest = load_manifest(default_directory(lab.inventory.cluster.kubernetes_version))
    image, namespace = manifest.reference("pause"), f"nodes-{secrets.token_hex(3)}"
    bare = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bare"},
        "spec": {
            "nodeName": WORKER,
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "c", "image": image}],
        },
    }
    local = [{"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}}]
    items = [
        deployment("web", image, 2, affinity=SPREAD),
        deployment("lone", image, 1),
        deployment("scratch", image, 1, volumes=local, nodeSelector={"kubernetes.io/hostname": WORKER}),
        budget(1),
        bare,
    ]
    lab.kubectl("create", "namespace", namespace)
    wait_until(
        lambda: "default" in lab.kubectl("get", "serviceaccounts", "-n", namespace, "--output=name"),
        30,
        "the namespace has its service account",
    )
    apply(lab, namespace, {"apiVersion": "v1", "kind": "List", "items": items})
    lab.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod", "--all", "--timeout=90s")
    yield namespace
    lab.kubectl("delete", "namespace", namespace, "--wait=true")


def apply(lab, namespace, document):
    done = lab.run("m1", f"kubectl --kubeconfig=/etc/kubernetes/admin.conf apply -n {namespace} -f - <<'END'\n"
                         f"{json.dumps(document)}\nEND\n")  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_deadlock_is_refused_within_5_seconds_naming_budget_and_pod(lab, with_worker, pods):
    apply(lab, pods, budget(2))
    allowed = ("get", "pdb", "web", "-n", pods, "-o=jsonpath={.status.disruptionsAllowed}")
    wait_until(lambda: lab.kubectl(*allowed) == "0", 30, "the budget allows nothing")
    on = next(node for name, (_, node, _) in pods_of(lab).items() if name.startswith(f"{pods}/web-"))
    began = time.monotonic()
    said = lab.fails("node", "drain", with_worker, on, "--yes", "--force", code=4)
    took = time.monotonic() - began
    measured("a deadlock refused", f"after {took:.1f} s")
    assert f"PodDisruptionBudget {pods}/web can never be met: 2 of 2 pods have to be healthy" in said
    assert f"where: {pods}/web-" in said
    assert lab.kubectl("get", "node", on, "-o=jsonpath={.spec.unschedulable}") == ""
    assert took < 5


def test_a_quick_reboot_keeps_pods_and_their_data_on_disk(lab, with_worker, pods):
    before = pods_of(lab)
    here = {name for name, (_, node, _) in before.items() if node == WORKER and name.startswith(pods)}
    done = json.loads(
        lab.haplane("node", "reboot", with_worker, WORKER, "--keep-pods", "--force", "--yes", "--json", codes=(0, 6))
    )
    after = pods_of(lab)
    assert {name: after.get(name, ("",))[0] for name in here} == {name: before[name][0] for name in here}
    assert all(after[name][2] == before[name][2] + 1 for name in here), "RESTARTS + 1"
    measured("a worker rebooted with its pods in place", f"{len(here)} pods kept, {done['seconds'][WORKER]} s")


def test_all_hosts_are_rebooted_and_no_request_over_a_new_connection_fails(lab, with_worker, pods):
    target = administrator(lab.inventory, over_ssh(silent))
    client, namespace = Client(target), f"reboot-{secrets.token_hex(3)}"
    make_namespace(client, namespace)
    before = pods_of(lab)
    try:
        with sessions_held_back(lab.inventory), endpoint_prober(target, namespace) as prober:
            done = json.loads(
                lab.haplane("node", "reboot", with_worker, "--all", "--yes", "--force", "--json", codes=(0, 6))
            )
            time.sleep(1.5)  # for those under way
            requests = prober.lines()
    finally:
        remove_namespace(client, namespace)
    cut, failed = cut_and_failed(requests)
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in done["seconds"].items())
    measured("`reboot --all`, seconds by host", took)
    measured(
        "`reboot --all`, requests over new connections",
        f"{len(failed)} of {len(requests)} failed; the address moved and reset {len(cut)} that were under way",
    )
    lab.kubectl("wait", "-n", pods, "--for=condition=Available", "deployment", "--all", "--timeout=90s")
    assert set(done["seconds"]) == {"m1", "m2", "m3", "lb1", "lb2", WORKER}
    assert not failed, words(failed)
    assert moments(cut) <= 2, words(cut)
    assert surprises(before, pods_of(lab), named(done)) == []
    assert named(done)[f"{pods}/bare"] == "lost"
    assert not any(name.startswith(f"{pods}/bare") for name in pods_of(lab))
