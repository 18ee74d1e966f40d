"""What `dead-node-pods` and its two variants wait for, hold to limits and show."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import samples
from contexts import drill_context
from fake_api import FakeApi, pod

from haplane.drills.catalog import DRILLS
from haplane.drills.pods import dead_node, pod_set, volumes
from haplane.drills.pods.dead_node import After, DeadNode
from haplane.drills.pods.pod_kinds import KINDS, WITH_VOLUME
from haplane.errors import Refused

ALL = (*KINDS, *WITH_VOLUME)
FAST = {"node_monitor_grace_seconds": 20, "unreachable_toleration_seconds": 30}


class Driver:
    """The volume driver, of which is noted what it was asked for and when."""

    def __init__(self, api):
        self.api, self.claims, self.removed_after = api, None, None

    def start(self, image, claims):
        self.claims = claims

    def clean_up(self):
        self.removed_after = list(self.api.deleted)


@pytest.fixture
def drill(monkeypatch):
    """Makes the pods of a variant on a cluster with such settings, and the API server that lists them."""
    api = FakeApi()
    monkeypatch.setattr(dead_node, "RETURN_SECONDS", 0.3)
    monkeypatch.setattr(pod_set, "POLL_SECONDS", 0.01)
    opened = []

    def made(after, *, without="", **settings):
        monkeypatch.setattr(dead_node, "why_none", lambda inventory: without)
        monkeypatch.setattr(dead_node, "Volumes", lambda *_: Driver(api))
        context = drill_context(samples.inventory(**settings), client=api)
        pods = DeadNode(context, "m2", after)
        monkeypatch.setattr(pods, "_taint", nullcontext)
        opened.append(pods)
        path = f"/api/v1/namespaces/{pods._pods.namespace}"
        api.listed[f"{path}/pods"] = [pod(kind, kind) for kind in (KINDS if without else ALL)]
        pods.prepare()
        return pods, api, path

    yield made
    for pods in opened:
        pods.clean_up()


def shown(pods):
    return {figure.name: figure for figure in pods.figures()}


def elsewhere(*kinds):
    return [pod(kind, f"new-{kind}", node="m3") for kind in kinds]


@pytest.mark.parametrize(("settings", "limit"), [({}, 90), (FAST, 60)])
def test_with_the_taint_a_statefulset_with_a_volume_serves_within_the_bar(drill, settings, limit):
    pods, api, path = drill(After.TAINTED, **settings)
    api.listed[f"{path}/pods"] = elsewhere("Deployment", "StatefulSet", "Job", *WITH_VOLUME)
    pods.watch()
    pods.wait_for_the_rest()
    found = shown(pods)
    for kind in ("Deployment", "StatefulSet", "Job", *WITH_VOLUME):
        assert found[f"{kind}: serving again after"].limit == limit
        assert found[f"{kind}: serving again after"].held
        assert f"{kind}: pod gone after" in found
    assert "DaemonSet: serving again after" not in found
    assert found["node_monitor_grace_seconds"].measured == settings.get("node_monitor_grace_seconds", 50)


def test_a_kind_that_does_not_serve_fails_the_drill_and_leaves_the_others_shown(drill):
    pods, api, path = drill(After.TAINTED)
    api.listed[f"{path}/pods"] = [*elsewhere("Deployment"), pod("StatefulSet-RWO", "StatefulSet-RWO", deleted=True)]
    pods.watch()
    pods.wait_for_the_rest()
    found = shown(pods)
    assert not found["StatefulSet-RWO: serving again after"].held
    assert found["StatefulSet-RWO: serving again after"].shown == "never"
    assert found["Deployment: serving again after"].held


def test_without_the_taint_statefulsets_and_volumes_wait_for_the_node_and_nothing_is_promised_of_them(drill):
    """They were waited for, and the drill without the taint always ended in a deadline.

    A real controller manager (1.36.3) detached no volume of a pod that was still terminating, in 520 s.
    """
    pods, api, path = drill(After.OFF)
    waiting = [pod(kind, kind, deleted=True) for kind in ("StatefulSet", "StatefulSet-RWO", "Deployment-RWO", "Pod")]
    api.listed[f"{path}/pods"] = [*elsewhere("Deployment", "Job"), *waiting]
    pods.watch()
    assert "StatefulSet: serving again after" not in shown(pods)
    api.listed[f"{path}/pods"] = [
        *elsewhere("Deployment", "Job", "Deployment-RWO", "StatefulSet", "StatefulSet-RWO"),
        pod("DaemonSet", "DaemonSet", restarts=1),
    ]
    pods.wait_for_the_rest()
    found = shown(pods)
    assert found["StatefulSet-RWO: serving again after"].limit is None
    assert found["DaemonSet: serving again after"].limit is None
    assert "Pod: serving again after" not in found
    assert found["Deployment: serving again after"].limit == 480
    assert found["Deployment-RWO: serving again after"].limit is None
    assert found["host back after"].measured > 0


def test_a_node_that_comes_back_restarts_its_own_pods(drill):
    pods, api, path = drill(After.BACK)
    pods.watch()
    api.listed[f"{path}/pods"] = [pod(kind, kind, restarts=1) for kind in ALL]
    pods.wait_for_the_rest()
    found = shown(pods)
    assert all(found[f"{kind}: serving again after"].held for kind in ALL)
    assert not any("deleted" in name or "gone" in name for name in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Multi-Attach error for volume "v"', "met: Multi-Attach error"),
        ("Waiting for detach of volume", "met: Waiting for detach"),
        ("rpc error: no such disk", "not met"),
    ],
)
def test_the_event_of_a_volume_that_another_node_has_is_met_or_not(drill, text, words):
    pods, api, path = drill(After.BACK)
    api.listed[f"{path}/events"] = [
        {"reason": "FailedAttachVolume", "message": text}, {"reason": "Other", "message": "Multi-Attach error"},
    ]  # fmt: skip
    pods.watch()
    api.listed[f"{path}/pods"] = [pod(kind, kind, restarts=1) for kind in ALL]
    pods.wait_for_the_rest()
    assert shown(pods)["event of a volume that another node has"].shown == words


def test_without_programs_for_volumes_the_other_kinds_are_shown_and_the_reason(drill):
    pods, _, _ = drill(After.BACK, without="a bundle from the official source has none")
    assert pods._volumes.claims is None
    found = shown(pods)
    assert "official source" in found["pods with volumes"].shown
    assert not any("RWO" in name for name in found)


def test_pods_are_removed_before_the_driver_that_unmounts_their_volumes(drill):
    pods, _, path = drill(After.BACK)
    assert pods._volumes.claims == ["on-deployment-rwo", "data-on-statefulset-rwo-0"]
    pods.clean_up()
    assert pods._volumes.removed_after == [path]


def test_what_is_left_out_is_said_before_it_is_agreed_to(monkeypatch):
    monkeypatch.setattr(volumes, "programs", no_programs)
    machines = SimpleNamespace(keeps_off=True, power_cut=lambda names: None)
    status = SimpleNamespace(etcd=SimpleNamespace(members=()))
    context = drill_context(samples.inventory(workers=1), machines=machines)
    for name in ("dead-node-pods", "dead-node-pods-untainted", "dead-node-pods-back"):
        fault = DRILLS[name].plan(context, status, None)
        assert fault.host == "w1"
        assert "It leaves out pods with volumes: this bundle is older" in fault.announcement


def no_programs(inventory):
    raise Refused("this bundle is older")
