"""``haplane verify``: over hosts in memory to its result, and as users call it over hosts that are not there."""

import json
import os

import pytest
from checked import CheckedCluster
from contexts import write_bundle

from haplane.checks.controls import EXCEPTIONS
from haplane.checks.process import OWN
from haplane.config.load import load_inventory
from haplane.domain.progress import silent
from haplane.errors import BadInput
from haplane.workflows.verify import verify

INVENTORY = """
masters = [
    (f"m{number}", {"address": f"10.0.0.{number}", "ssh_hostname": "127.0.0.1", "ssh_port": number})
    for number in (1, 2, 3)
]
cluster = {"name": "nowhere", "endpoint": "127.0.0.9:1", "endpoint_is_external": True}
"""


@pytest.fixture
def haplane(haplane_program):
    return lambda *arguments: haplane_program.run(*arguments, environment=os.environ, seconds=300)


def test_unreachable_hosts_are_skipped_by_users_suites_too(haplane, tmp_path):
    (tmp_path / "inventory.py").write_text(INVENTORY)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "test_a.py").write_text("def test_a(host):\n    assert host.file('/').is_directory\n")
    done = haplane("verify", str(tmp_path / "inventory.py"), "--suite", str(tmp_path / "site"), "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert document["unreachable"] == ["m1", "m2", "m3"]
    assert document["failed"] >= 3
    assert {check["outcome"] for check in document["checks"] if check["host"] and check["group"] != "reach"} == {
        "skipped"
    }
    assert not [check for check in document["checks"] if check["group"] == "pods"]
    mine = [check for check in document["checks"] if check["group"] == "site/test_a"]
    assert [(check["host"], check["outcome"]) for check in mine] == [(name, "skipped") for name in ("m1", "m2", "m3")]


def test_a_wrong_inventory(haplane, tmp_path):
    (tmp_path / "inventory.py").write_text("masters = []\n")
    done = haplane("verify", str(tmp_path / "inventory.py"))
    assert done.returncode == 2
    assert "cluster" in done.stderr


def test_a_broken_suite_is_told_before_any_host_is_contacted(haplane, tmp_path):
    (tmp_path / "inventory.py").write_text(INVENTORY)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "test_a.py").write_text("import nonsense\n")
    done = haplane("verify", str(tmp_path / "inventory.py"), "--suite", str(tmp_path / "site"), "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["where"] == f"{tmp_path}/site/test_a.py:1"
    assert error["why"] == "ModuleNotFoundError: No module named 'nonsense'"


IN_MEMORY = """
masters = [(f"m{number}", {"address": f"10.0.0.2{number}"}) for number in (1, 2, 3)]
load_balancers = [(f"lb{number}", {"address": f"10.0.0.1{number}"}) for number in (1, 2)]
workers = [("w1", {"address": "10.0.0.61"})]
cluster = {"name": "test", "endpoint": "192.0.2.9:6443", "kubernetes_version": "1.35.4", "bundle": "BUNDLE"}
"""


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "inventory.py").write_text(IN_MEMORY.replace("BUNDLE", write_bundle(tmp_path)))
    return CheckedCluster(load_inventory(tmp_path / "inventory.py"))


def verified(cluster, *suites):
    return verify(cluster.inventory, with_pods=False, suites=suites, progress=silent, executor=cluster)


def failed(found):
    return {(check.group, check.host): check.message for check in found.checks if check.outcome == "failed"}


def test_a_healthy_cluster_passes_every_check(cluster):
    found = verified(cluster)
    assert failed(found) == {}
    assert found.exit_code == 0
    groups = {path.stem.removeprefix("test_") for path in OWN.directory.glob("test_*.py")}
    assert {check.group for check in found.checks if check.outcome == "passed"} == groups - {"pods"}
    skipped = {(check.group, check.check.partition(" ")[0]) for check in found.checks if check.outcome == "skipped"}
    assert skipped == {*(("cis", number) for number in EXCEPTIONS), ("endpoint", "Ready,")}, "nothing serves it here"
    assert sorted(cluster.asked) == sorted(host.name for host in cluster.inventory.hosts)


def test_what_is_wrong_is_found_where_it_is(cluster):
    cluster.now_reported["m2"]["apiserver"] = {"ready": False}
    cluster.now_reported["m3"]["bundle"] |= {"/usr/local/bin/kubelet": "1" * 64}
    cluster.now_reported["lb1"]["units"]["keepalived"] |= {"active": False}
    cluster.changed["w1"] = {"processes": {"kubelet": ["kubelet", "--hostname-override=w2"]}}
    found = verified(cluster)
    assert found.exit_code == 6
    wrong = failed(found)
    assert set(wrong) == {
        *(("endpoint", name) for name in ("m1", "m2", "m3", "w1")),
        ("files", "m3"), ("services", "lb1"), ("cis", "w1"),
    }  # fmt: skip
    assert wrong["endpoint", "w1"] == "m2: HTTP 503"
    assert "/usr/local/bin/kubelet differs from the bundle's" in wrong["files", "m3"]


def test_a_host_that_stops_responding_while_others_report_is_named_and_they_are_checked(cluster):
    def on_asked(name):
        cluster.off["m2"] = "no response"

    cluster.on_asked = on_asked
    cluster.changed["lb2"] = {"addresses": 5}
    found = verified(cluster)
    assert (found.exit_code, found.unreachable) == (3, ("m2", "lb2"))
    assert failed(found)["reach", "m2"] == "no response"
    assert "its answer cannot be read: addresses" in failed(found)["reach", "lb2"]
    passed = {check.host for check in found.checks if check.outcome == "passed"}
    assert passed == {"", "m1", "m3", "lb1", "w1"}
    assert {check.outcome for check in found.checks if check.host == "m2" and check.group != "reach"} == {"skipped"}


def test_a_suite_that_is_none_is_refused_before_any_host_is_asked(cluster, tmp_path):
    with pytest.raises(BadInput, match="a suite is a directory"):
        verified(cluster, str(tmp_path / "nowhere"))
    assert cluster.asked == []
