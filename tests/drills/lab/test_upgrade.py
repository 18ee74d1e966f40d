"""Upgrades of real masters and a worker under load, killed at every step, and refused for what was planted.

A lab of its own: what these leave runs in another version than the other stories' lab. Bundles of every version that
is gone through have to be there.
"""

import json
import os
import time
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise

import pytest
from drills.lab.a_lab import Lab
from interruptions import Moment, Run
from lab_cpu import sessions_held_back
from soak_table import write_line
from upgrade_clients import kubeconfig, watched

from haplane.bundle.installed import built_versions
from haplane.bundle.manifest import default_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.cli import run_log
from haplane.domain.progress import silent
from haplane.domain.upgrade_route import hops
from haplane.domain.versions import Running, parse
from haplane.drills.probing.credentials import administrator
from haplane.lab.paths import client_key, known_hosts
from haplane.workflows.prepare import over_ssh

pytestmark = [pytest.mark.lab, pytest.mark.soak]

OLD = "1.35.4"
NETWORK = "10.89.61"
STARTS_SECONDS = 15
"""What the start of the clients takes of two cores; they count from their first request."""
INVENTORY = """
def _host(name, number):
    return name, {{"address": f"{network}.{{number}}", "ssh_hostname": f"{network}.{{number}}"}}

_ssh = {{
    "ssh_user": "root",
    "ssh_key": "{key}",
    "ssh_known_hosts_file": "{known_hosts}",
    "ssh_strict_host_key_checking": "yes",
}}
masters = ([_host("m1", 21), _host("m2", 22), _host("m3", 23)], _ssh)
load_balancers = ([_host("lb1", 11)], _ssh)
workers = ([_host("w1", 31)], _ssh)
cluster = {{
    "name": "upgraded",
    "endpoint": "{network}.10:6443",
    "kubernetes_version": "{version}",
    "flannel_backend": "host-gw",
    "keepalived": {{"advert_seconds": 0.3}},
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "unreachable_toleration_seconds": {toleration},
    "lab": {{"network": "{network}.0/24", "gateway": "{network}.1", "bridge": "haplane61"}},
}}
"""
TWO_PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: watched}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: watched}}}}
  template:
    metadata: {{labels: {{app: watched}}}}
    spec:
      tolerations: [{{operator: Exists}}]
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [m3, w1]}}]
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - labelSelector: {{matchLabels: {{app: watched}}}}
              topologyKey: kubernetes.io/hostname
      containers: [{{name: pause, image: "{image}"}}]
"""
BUILT = sorted(parse(one) for one in built_versions("amd64") if parse(one) > parse(OLD))
HOPS = [str(one) for one in hops([Running("m1", "kube-apiserver", OLD)], BUILT[-1], BUILT, [])[0]] if BUILT else []
STRUCK = [
    "Stage binaries and images",
    "Prepare hosts",
    "Upgrade etcd, one member at a time",
    "Upgrade control planes, one at a time",
    "Apply cluster-wide objects",
    "Upgrade kubelets and container runtimes, one node at a time",
    "Remove staged files",
]


class Upgraded(Lab):
    """``version`` of its inventory can be changed, and ``toleration``, a flag of API servers."""

    toleration = 300

    def __init__(self, directory):
        self.file = directory / "upgraded.py"
        self.want(OLD)
        super().__init__(self.file)

    def want(self, version):
        text = INVENTORY.format(
            network=NETWORK, version=version, key=client_key(), known_hosts=known_hosts(), toleration=self.toleration
        )
        self.file.write_text(text)

    def anew(self, version=OLD):
        """Fresh hosts, and the cluster in that version."""
        self.want(version)
        self.haplane("lab", "down", self.file)
        self.haplane("lab", "up", self.file)
        self.haplane("up", self.file, "--yes")

    def versions(self):
        nodes = self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.kubeletVersion}").split()
        served = {json.loads(self.kubectl("version", "-o", "json", master=name))["serverVersion"]["gitVersion"]
                  for name in self.masters}  # fmt: skip
        return {*nodes, *served}


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory):
    made = Upgraded(tmp_path_factory.mktemp("upgraded"))
    yield made
    if not os.environ.get("HAPLANE_KEEP_LAB"):
        made.haplane("lab", "down", made.file)


def two_pods(lab):
    """By name, its restarts and the image ID of its container."""
    image = load_manifest(default_directory(OLD)).reference("pause")
    host = lab.host("m1")
    host.check_output(
        "echo %s | kubectl --kubeconfig=/etc/kubernetes/admin.conf apply -f -", TWO_PODS.format(image=image)
    )
    lab.kubectl("rollout", "status", "deployment/watched", "--timeout=90s")
    return restarts(lab)


def restarts(lab):
    pods = json.loads(lab.kubectl("get", "pods", "-l", "app=watched", "-o", "json"))["items"]
    return {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}


def restart_control_planes(lab):
    """All of them, for a changed flag; the seconds of that `up`."""
    lab.toleration -= 1
    lab.want(OLD)
    began = time.monotonic()
    assert json.loads(lab.haplane("up", lab.file, "--yes", "--json"))["changed"]
    return time.monotonic() - began


def seconds_of_hops():
    """Of the last upgrade, from its log: a hop ends where its staged files are removed, and there the next begins."""
    log = max(run_log.directory().glob("upgraded-upgrade-*.log"), key=lambda path: path.stat().st_mtime)
    first, *lines = log.read_text(encoding="utf-8").splitlines()
    ends = [line for line in lines if "Z  upgrade: Remove staged files" in line]
    return [
        (end - begin).total_seconds()
        for begin, end in pairwise(datetime.fromisoformat(line[:24]) for line in (first, *ends))
    ]


@pytest.mark.skipif(not HOPS, reason="needs the bundle of a newer version")
def test_every_minor_version_in_one_command_and_no_client_notices(upgraded, tmp_path):
    upgraded.anew()
    pods = two_pods(upgraded)
    bundle = default_directory(OLD)
    kubectl = unpack_program(bundle, load_manifest(bundle), "/usr/local/bin/kubectl", tmp_path)
    target = administrator(upgraded.inventory, over_ssh(silent))
    config = kubeconfig(target, tmp_path / "config")
    with sessions_held_back(upgraded.inventory), watched(target, "restarted", kubectl, config, list(pods)):
        restart = restart_control_planes(upgraded)
    upgraded.want(HOPS[-1])
    shown = upgraded.haplane("upgrade", upgraded.file, "--dry-run", "--without-snapshot")  # as an operator does first
    assert "out of service: nothing" in shown
    clients = watched(target, "upgraded", kubectl, config, list(pods))
    with sessions_held_back(upgraded.inventory), clients as seen:
        time.sleep(STARTS_SECONDS)
        done = json.loads(
            upgraded.haplane("upgrade", upgraded.file, "--yes", "--json", "--without-snapshot", codes=(0, 6))
        )
    told = json.dumps({**seen, "read": asdict(seen["read"]), "write": asdict(seen["write"])}, indent=1)
    print(told)
    print(f"a rolling restart of the same masters takes {restart:.0f} s;", *(
        f"to {hop} {seconds:.0f} s, {seconds / restart:.1f} times as long;"
        for hop, seconds in zip(done["hops"], seconds_of_hops(), strict=True)
    ))  # fmt: skip
    assert done["hops"] == HOPS
    assert done["status"]["healthy"], done["status"]["problems"]
    assert upgraded.versions() == {f"v{HOPS[-1]}"}
    assert restarts(upgraded) == pods
    total = seen["read"].requests + seen["write"].requests
    failed = seen["read"].failed + seen["write"].failed
    write_line("`haplane upgrade`", f"{failed} of {total} requests failed over {' -> '.join([OLD, *HOPS])}", "")
    assert (failed, seen["lost"], seen["kept"]["failures"], seen["watch"]["missed"]) == (0, (), [], []), told
    assert json.loads(upgraded.haplane("up", upgraded.file, "--yes", "--json"))["changed"] is False


@pytest.mark.skipif(not HOPS, reason="needs the bundle of a newer version")
@pytest.mark.parametrize("title", STRUCK)
def test_killed_in_any_step_the_same_command_completes_it(upgraded, title):
    upgraded.anew()
    upgraded.want(HOPS[0])
    run = Run(upgraded.file, "upgrade", "--without-snapshot")
    if run.wait_for(Moment(f"upgrade: {title}", 1.0)):
        run.process.kill()
    run.end()
    done = json.loads(upgraded.haplane("upgrade", upgraded.file, "--yes", "--json", "--without-snapshot"))
    assert done["status"]["healthy"]
    assert upgraded.versions() == {f"v{HOPS[0]}"}
    assert json.loads(upgraded.haplane("up", upgraded.file, "--yes", "--json"))["changed"] is False
