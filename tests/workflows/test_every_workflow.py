"""Every verb with one host that stops responding in the middle, and with what it refuses, on hosts in memory."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import samples
from contexts import write_bundle
from fake_cluster import FakeCluster, converged
from serving_nodes import Nodes, replicas
from upgrading import UpgradedCluster
from upgrading import write_bundle as write_bundle_of

import haplane.workflows
from haplane.context.request import NodeRequest
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.observation import decide, upgrade_checks
from haplane.workflows.certs import list_certificates
from haplane.workflows.discard import discard
from haplane.workflows.node import node
from haplane.workflows.reset import reset
from haplane.workflows.up import up
from haplane.workflows.upgrade import upgrade

HERE = Path(__file__).parent
OLD = "/var/lib/etcd/aside-20261122T190000Z"
FAKES = r"^from (fake_cluster|powered|snapshotting|checked|key_holders) import"


def of_workflows():
    """By module, the functions that take an executor."""
    for found in pkgutil.iter_modules(haplane.workflows.__path__, "haplane.workflows."):
        for name, function in vars(importlib.import_module(found.name)).items():
            ours = inspect.isfunction(function) and function.__module__ == found.name and not name.startswith("_")
            if ours and "executor" in inspect.signature(function).parameters:
                yield found.name, name


def test_every_workflow_takes_an_executor_and_runs_on_a_fake_cluster():
    tests = [path.read_text() for path in HERE.glob("test_*.py")]
    texts = [(HERE.parent / "powered.py").read_text(), *(text for text in tests if re.search(FAKES, text, re.M))]
    functions = list(of_workflows())
    modules = {module.rpartition(".")[2] for module, _ in functions}
    shared = {"__init__", "engine", "converge", "prepare", "leave_out"}
    assert modules | shared == {path.stem for path in Path(haplane.workflows.__path__[0]).glob("*.py")}
    for module, name in functions:
        package, _, short = module.rpartition(".")
        used = rf"from {module} import .*\b{name}\b|from {package} import .*\b{short}\b"
        assert any(re.search(used, text) for text in texts), f"{module}.{name} has no test on a fake cluster"


def plan_given(cluster, verb, *words, **asked):
    return verb(cluster.inventory, *words, confirm=lambda _: True, progress=silent, executor=cluster, **asked)


def noded(verb, *names):
    return lambda cluster: plan_given(cluster, node, verb, names, NodeRequest())


def converged_cluster(inventory):
    return FakeCluster(inventory, converged(inventory))


def with_old_data(inventory):
    reports = converged(inventory)
    for name in ("m1", "m2", "m3"):
        reports[name]["leftovers"] = reports[name]["leftovers"] | {"previous_data": [{"path": OLD, "size": 1}]}
    return FakeCluster(inventory, reports)


def with_pods(inventory):
    return Nodes(inventory, replicas("w1"))


@dataclass
class Case:
    """``spoiled`` makes of a cluster one that refuses, with that message; ``lost`` stops responding in the middle."""

    run: Callable
    made: Callable
    refusal: str
    spoiled: Callable = field(default=lambda cluster: cluster.off.update(all_of(cluster)))
    lost: str = "m3"


def all_of(cluster):
    return {host.name: "no response" for host in cluster.inventory.everyone}


def without_quorum(cluster):
    for name in ("m1", "m2"):
        cluster.now_reported[name]["etcd"] |= {"reads_through_quorum": False, "status": None}


def newer(cluster):
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["settings"]["apiserver_version"] = "1.37.2"


def without_w1(cluster):
    cluster.off["w1"] = "no response"


def ups(**asked):
    return lambda cluster: plan_given(cluster, up, dry_run=False, **asked)


def listed(cluster):
    return list_certificates(cluster.inventory, silent, executor=cluster)


def upgraded(cluster):
    return plan_given(cluster, upgrade, dry_run=False, without_snapshot=True)


GONE = "reached"
CASES = {
    "up": Case(ups(), FakeCluster, "w1", without_w1),
    "certs renew": Case(ups(renew=True), converged_cluster, GONE),
    "certs status": Case(listed, converged_cluster, GONE),
    "node repair": Case(ups(repaired="m3"), converged_cluster, GONE),
    "node discard": Case(lambda cluster: plan_given(cluster, discard, ()), with_old_data, "needed", without_quorum),
    "reset": Case(lambda cluster: plan_given(cluster, reset, ()), converged_cluster, GONE),
    "node drain": Case(noded("drain", "w1"), with_pods, GONE),
    "node uncordon": Case(noded("uncordon", "w1"), with_pods, GONE),
    "node reboot": Case(noded("reboot", "m1", "m2"), with_pods, GONE),
    "node patch": Case(noded("patch", "lb1", "w1"), with_pods, GONE, lost="w1"),
    "node remove": Case(noded("remove", "w1"), with_pods, GONE),
    "upgrade": Case(upgraded, UpgradedCluster, "cannot become", newer),
}


@pytest.fixture
def inventory(tmp_path, monkeypatch, request):
    """With its bundles."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if request.node.callspec.params["name"] != "upgrade":
        return samples.inventory(workers=1, bundle=write_bundle(tmp_path), proxy_mode="nftables")
    for version in ("1.35.4", "1.36.3"):
        write_bundle_of(tmp_path / "haplane" / "bundles" / f"{version}-amd64", version)
    return samples.inventory(workers=1, proxy_mode="nftables", kubernetes_version="1.36.3")


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_changes_nothing(name, inventory):
    case = CASES[name]
    cluster = case.made(inventory)
    case.spoiled(cluster)
    with pytest.raises(HaplaneError, match=case.refusal):
        case.run(cluster)
    assert cluster.deployed == cluster.locks == []


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("name", CASES)
def test_a_host_that_stops_responding_in_the_middle_is_an_error_or_said_and_the_same_command_completes_it(
    name, at, inventory
):
    """Nothing else is taken out of service then, and no cluster is called healthy."""
    case = CASES[name]
    whole = case.made(inventory)
    good = case.run(whole)
    assert getattr(good, "exit_code", 0) == 0, (good, getattr(good.status, "problems", ()))
    cluster = case.made(inventory)
    cluster.lost_at = max(1, int(whole.contacts * at)), case.lost
    with suppress(HaplaneError):
        status = getattr(case.run(cluster), "status", None)
        assert status is None or not status.healthy
    assert case.lost in cluster.off
    cluster.off.clear()
    cluster.away.clear()
    again = case.run(cluster)
    assert getattr(again, "exit_code", 0) == 0, (again, getattr(again.status, "problems", ()))
