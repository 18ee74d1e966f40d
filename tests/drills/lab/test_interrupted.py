"""`haplane up` struck at its nastiest moments, on a lab of its own; all of them: `make soak-safe`."""

import json
import os
import signal
import time

import pytest
from interruptions import STRUCK, Cluster, Moment, Run, haplane, interrupt, write_inventory

from haplane.lab import lifecycle

pytestmark = [pytest.mark.lab, pytest.mark.soak]

STORIES = [
    ("SIGINT", Moment("up: Push binaries and images", 2)),
    ("power", Moment("Run kubeadm's phases", 3)),
    ("cut", Moment("Apply cluster-wide objects", 1)),
    ("SIGKILL", Moment("Start etcd members together", 0.3)),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    path = write_inventory(tmp_path_factory.mktemp("safe") / "lab.py", 8)
    yield Cluster(path)
    haplane("lab", "down", path)


@pytest.mark.parametrize(("fault", "moment"), STORIES, ids=str)
def test_an_interrupted_first_run_is_completed_by_the_next(cluster, fault, moment):
    cluster.fresh()
    found = interrupt(cluster, fault, moment)
    print(f"{fault} at {moment}: {found.interrupted_seconds:.0f} s, then {found.rerun_seconds:.0f} s")
    assert not found.problem, found.problem


def test_a_frozen_run_changes_nothing_once_another_has_had_the_lock(cluster, tmp_path):
    """After the stories: a cluster that runs. The frozen run is about to restart the second master."""
    changed = write_inventory(tmp_path / "changed.py", 8, toleration=99)
    frozen = Run(changed)
    assert frozen.wait_for(Moment("Take apiservers/m2 out of service"))
    os.kill(frozen.process.pid, signal.SIGSTOP)
    time.sleep(12)  # its lock is gone after 8
    haplane("up", "--yes", cluster.path)
    before = cluster.on_masters("sha256sum /etc/kubernetes/*/*.yaml; pgrep -x kube-apiserver; pgrep -x etcd")
    os.kill(frozen.process.pid, signal.SIGCONT)
    ended = frozen.end(60)
    assert ended.code == 1, ended
    assert "the lock was lost on" in ended.said
    assert cluster.on_masters("sha256sum /etc/kubernetes/*/*.yaml; pgrep -x kube-apiserver; pgrep -x etcd") == before
    assert json.loads(haplane("up", "--yes", "--json", cluster.path))["changed"] is False


def test_one_master_off_does_not_stop_the_rest(cluster, tmp_path):
    """Its absence is named, nobody waits for it, and the exit code says that something is left."""
    changed = write_inventory(tmp_path / "changed.py", 8, toleration=98)
    lifecycle.kill(cluster.inventory, [STRUCK])
    try:
        rolled = json.loads(haplane("up", "--yes", "--json", changed, code=6))
        assert rolled["skipped"] == [STRUCK]
        assert not any(line.startswith(f"{STRUCK}:") for line in rolled["plan"])
        again = json.loads(haplane("up", "--yes", "--json", changed, code=6))
        assert again["plan"] == []
    finally:
        lifecycle.start(cluster.inventory, [STRUCK])
    assert json.loads(haplane("up", "--yes", "--json", changed))["status"]["healthy"]
