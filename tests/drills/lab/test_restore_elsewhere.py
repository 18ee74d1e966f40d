"""A lost cluster comes back on other machines: other addresses, another endpoint, one master of another name."""

import json

import pytest
from drills.lab.a_lab import Lab

from haplane.agent.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE
from haplane.remote.openssh import read_files

pytestmark = [pytest.mark.lab, pytest.mark.soak]

SETTINGS = """
def _host(name, number):
    return name, {{"address": f"10.89.16.{{number}}", "ssh_hostname": f"10.89.16.{{number}}"}}
_ssh = {{
    "ssh_key": "~/.cache/haplane/lab/id_ed25519",
    "ssh_known_hosts_file": "~/.cache/haplane/lab/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}}
masters = ([{masters}], _ssh)
load_balancers = ([_host("lb1", {balancer})], _ssh)
cluster = {{
    "name": "elsewhere",
    "endpoint": "10.89.16.{endpoint}:6443",
    "flannel_backend": "host-gw",
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "snapshots": {{"recipients": ["{recipient}"], "interval_seconds": 3600{key}}},
    "lab": {{"network": "10.89.16.0/24", "gateway": "10.89.16.1", "bridge": "haplane16"}},
}}
"""
BEFORE = {"masters": {"m1": 21, "m2": 22, "m3": 23}, "balancer": 11, "endpoint": 10}
AFTER = {"masters": {"m1": 32, "m2": 31, "m4": 34}, "balancer": 12, "endpoint": 20}


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """What makes a lab of these machines; the operator's age identity is beside its inventory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    recipient = Lab().haplane("keys", "new", str(tmp_path / "identity"), "--json")
    Lab().haplane("keys", "check", str(tmp_path / "identity"))
    made = []

    def lab(name, machines, signing_key=None):
        masters = ", ".join(f'_host("{each}", {number})' for each, number in machines["masters"].items())
        key = f', "signing_key": "{signing_key}"' if signing_key else ""
        words = {"masters": masters, "recipient": json.loads(recipient)["recipient"], "key": key}
        (tmp_path / name).write_text(SETTINGS.format(**machines | words))
        made.append(Lab(str(tmp_path / name)))
        made[-1].haplane("lab", "down", made[-1].path)
        made[-1].haplane("lab", "up", made[-1].path)
        return made[-1]

    yield lab
    made[-1].haplane("lab", "down", made[-1].path)


def copied_snapshot(lab, target):
    """The directory of one taken now, brought here."""
    taken = json.loads(lab.haplane("snapshot", "take", lab.path, "--json"))["id"]
    member = lab.inventory.host(taken.split("-")[1])
    parts = (MANIFEST, SIGNATURE, PAYLOAD, KEYS)
    directory = target / taken
    directory.mkdir()
    for path, content in read_files(member, [f"/var/lib/haplane/snapshots/{taken}/{part}" for part in parts]).items():
        (directory / path.rpartition("/")[2]).write_bytes(content)
    return directory


def config_map(lab, namespace, name, key):
    return lab.kubectl("get", "configmap", name, "--namespace", namespace, "-o", f"jsonpath={{.data.{key}}}")


def test_other_machines_and_another_endpoint(moved, tmp_path):
    old = moved("before.py", BEFORE)
    key = json.loads(old.haplane("up", old.path, "--yes", "--json"))["signing_key"]
    uid = old.status()["cluster"]["uid"]
    token = old.kubectl("create", "token", "default", "--duration=24h")
    old.kubectl("create", "configmap", "before-the-snapshot")
    snapshot = copied_snapshot(old, tmp_path)
    new = moved("after.py", AFTER, key)
    words = ("--file", str(snapshot), "--identity", str(tmp_path / "identity"), "--yes", "--json")
    outcome = json.loads(new.haplane("restore", new.path, *words))
    assert outcome["uid"] == uid
    assert outcome["status"]["healthy"], outcome["status"]["problems"]
    assert "configmap/before-the-snapshot" in new.kubectl("get", "configmaps", "-o", "name")
    nodes = json.loads(new.kubectl("get", "nodes", "-o", "json"))["items"]
    addresses = {
        node["metadata"]["name"]: [one["address"] for one in node["status"]["addresses"] if "IP" in one["type"]]
        for node in nodes
    }
    assert addresses == {name: [f"10.89.16.{number}"] for name, number in AFTER["masters"].items()}
    endpoint = "10.89.16.20:6443"
    assert f"controlPlaneEndpoint: {endpoint}" in config_map(
        new, "kube-system", "kubeadm-config", "ClusterConfiguration"
    )
    assert f"server: https://{endpoint}" in config_map(new, "kube-system", "kube-proxy", r"kubeconfig\.conf")
    assert f"server: https://{endpoint}" in config_map(new, "kube-public", "cluster-info", "kubeconfig")
    server = ("--server=https://127.0.0.1:6443", "--insecure-skip-tls-verify", f"--token={token}")
    who = new.host("m4").check_output("kubectl --kubeconfig=/dev/null %s %s %s auth whoami -o json", *server)
    assert json.loads(who)["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"
    assert json.loads(new.haplane("up", new.path, "--yes", "--json"))["changed"] is False
    new.verify("--with-pods")
