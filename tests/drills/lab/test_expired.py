"""Nodes that were off for longer than their certificates live: status names the cause, one `up` recovers them."""

import json
import secrets
import subprocess
import time

import pytest
from drills.lab import expiry
from drills.lab.a_lab import Lab
from drills.lab.test_worker import leave
from lab_cpu import sessions_held_back
from rolling_clients import Clients

from haplane.config.load import load_inventory
from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.writes import make_namespace, remove_namespace
from haplane.lab import lifecycle
from haplane.remote.openssh import ssh_command
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh

pytestmark = [pytest.mark.lab, pytest.mark.soak]

KEPT = "written-before"


def kept(lab, master="m1"):
    """What a ConfigMap holds, its UID and the cluster's."""
    found = json.loads(lab.kubectl("get", "configmap", KEPT, "--output=json", master=master))
    namespace = lab.kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}", master=master)
    return found["data"], found["metadata"]["uid"], namespace


def powered_off_and_on(lab, hosts):
    names = [host.name for host in hosts]
    lifecycle.kill(lab.inventory, names)
    lifecycle.start(lab.inventory, names)
    for host in hosts:
        words = ssh_command(host, "true")
        wait_until(
            lambda words=words: subprocess.run(words, capture_output=True, check=False).returncode == 0,
            60,
            f"{host.name} is reached by ssh",
        )


def status(lab, path):
    return json.loads(lab.haplane("status", path, "--json", codes=(0, 6)))


@pytest.fixture
def with_worker(lab, tmp_path):
    """The lab's inventory with a worker."""
    lines = (lab.root / lab.path).read_text().splitlines()
    path = tmp_path / "lab.py"
    extra = [line.replace('"w1": f"{_NETWORK}.31", ', "") for line in lines]
    path.write_text("\n".join([*extra, 'workers = ([_host("w1", 31)], _ssh)', ""]))
    return str(path)


@pytest.fixture
def written(lab):
    """An object from before, gone afterwards."""
    lab.kubectl("create", "configmap", KEPT, "--from-literal=answer=42")
    yield kept(lab)
    lab.kubectl("delete", "configmap", KEPT)


def test_a_cluster_whose_every_certificate_has_expired_is_recovered_by_one_up(lab, with_worker, written):
    path = with_worker
    lab.haplane("up", path, "--yes")
    inventory = load_inventory(path)
    nodes = [host.name for host in inventory.nodes]
    try:
        for host in inventory.nodes:
            expiry.expire(inventory, host)
        powered_off_and_on(lab, inventory.nodes)
        wait_until(lambda: not status(lab, path)["healthy"], 30, "the cluster is down")
        found = status(lab, path)
        listed = json.loads(lab.haplane("certs", "status", path, "--json"))["certificates"]
        expired = [one for one in listed if one["days_left"] <= 0]
        assert {one["host"] for one in expired} == set(nodes)
        assert len(expired) == 3 * 11 + 1, [f"{one['host']}:{one['path']}" for one in expired]
        said = "\n".join(found["problems"])
        assert "certificates have expired on m1, m2, m3, w1" in said, said
        assert "start the members" not in found["recovery"]["action"], found["recovery"]
        assert f"fix: `haplane up {path}`" in said, said
        began = time.monotonic()
        lab.haplane("up", path, "--yes")
        print(f"recovered in {time.monotonic() - began:.0f} s")
        assert kept(lab) == written
        found = {}
        wait_until(
            lambda: found.update(status(lab, path)) or found["healthy"],
            60,
            "the cluster is healthy",
            why=lambda: "\n".join(found["problems"]),
        )
        assert [worker["ready"] for worker in found["workers"]] == [True]
        assert json.loads(lab.haplane("up", path, "--yes", "--json"))["plan"] == []
    finally:
        leave(lab)


@pytest.fixture
def external():
    """A lab of its own, with etcd on machines that have nothing else, freshly made."""
    made = Lab("inventories/lab_external_etcd.py")
    made.haplane("lab", "down", made.path)
    made.haplane("lab", "up", made.path)
    made.haplane("up", made.path, "--yes")
    yield made
    made.haplane("lab", "down", made.path)


def test_etcd_on_machines_of_its_own_is_recovered_with_the_masters(external):
    external.kubectl("create", "configmap", KEPT, "--from-literal=answer=42")
    before = kept(external)
    for host in external.inventory.hosts:
        expiry.expire(external.inventory, host)
    powered_off_and_on(external, external.inventory.hosts)
    wait_until(lambda: not external.status()["healthy"], 30, "the cluster is down")
    said = "\n".join(external.status()["problems"])
    assert "certificates have expired on e1, e2, e3, m1, m2, m3" in said, said
    assert f"fix: `haplane up {external.path}`" in said, said
    external.haplane("up", external.path, "--yes")
    assert kept(external) == before
    external.wait_until_healthy(60)
    assert json.loads(external.haplane("up", external.path, "--yes", "--json"))["plan"] == []


@pytest.mark.parametrize("expire", [expiry.expire_kubelet, expiry.expire_member])
def test_one_host_that_was_off_for_too_long_is_recovered_and_the_others_are_left_alone(lab, written, expire):
    host = lab.inventory.host("m3")
    before = {name: processes(lab, name) for name in ("m1", "m2")}
    expire(lab.inventory, host)
    powered_off_and_on(lab, [host])
    wait_until(lambda: not lab.status()["healthy"], 30, "m3 is down")
    problems = lab.status()["problems"]
    assert any("expired on m3" in line and f"haplane up {lab.path}" in line for line in problems), problems
    lab.haplane("up", lab.path, "--yes")
    assert kept(lab) == written
    assert {name: processes(lab, name) for name in ("m1", "m2")} == before


def processes(lab, name):
    return lab.run(name, "pgrep -x etcd; pgrep -x kube-apiserver; pgrep -x kubelet").stdout


def test_all_certificates_are_renewed_and_no_client_notices(lab):
    """Also logs and exec, for which API servers ask kubelets, go on."""
    target = administrator(lab.inventory, over_ssh(silent))
    namespace = f"renew-{secrets.token_hex(3)}"
    client = Client(target)
    before = {one["path"]: one["not_after"] for one in of_host(lab, "m1")}
    make_namespace(client, namespace)
    try:
        with sessions_held_back(lab.inventory), Clients(target, namespace).at_work(requests=2000) as clients:
            lab.haplane("certs", "renew", lab.path, "--yes")
    finally:
        remove_namespace(client, namespace)
    told = f"{clients.total} requests ({clients.requests}), {len(clients.failures)} failed"
    print(told)
    assert not clients.failures, "\n".join([told, *clients.failures[:20]])
    assert not clients.missed()
    after = {one["path"]: one["not_after"] for one in of_host(lab, "m1") if one["renewed_by"] == "haplane up"}
    assert len(after) >= 11
    assert [path for path, when in after.items() if when <= before[path]] == []
    assert lab.kubectl("get", "--raw", "/api/v1/nodes/m2/proxy/healthz") == "ok"


def of_host(lab, name):
    listed = json.loads(lab.haplane("certs", "status", lab.path, "--json"))["certificates"]
    return [one for one in listed if one["host"] == name]
