"""All the power at once, and disks that come back empty."""

import json
import time
from contextlib import contextmanager

import pytest

from haplane.drills.waiting import wait_until
from haplane.lab import paths

pytestmark = pytest.mark.lab

WATCH_SECONDS = 20


def test_the_cluster_comes_back_by_itself_after_everything_was_off(stage):
    uid = stage.status()["cluster"]["uid"]
    every = [host.name for host in stage.inventory.hosts]
    stage.machines.kill(every)
    stage.machines.start(every)
    assert stage.wait_until_healthy()["cluster"]["uid"] == uid


def etcd_directory(stage, master):
    return paths.host_directory(stage.inventory.cluster.name, master) / "etcd"


@contextmanager
def wiped_disks(stage, masters):
    """These lose what is in /var/lib/etcd while all masters are off; afterwards all of it is put back."""
    stage.machines.kill(stage.masters)
    disks = [etcd_directory(stage, master) for master in masters]
    for disk in disks:
        move_content(disk, disk.with_name("etcd-aside"))
    try:
        yield
    finally:
        stage.machines.kill(stage.masters)
        for disk in disks:
            move_content(disk, disk.with_name("etcd-of-the-story"))
            move_content(disk.with_name("etcd-aside"), disk)
        stage.machines.start(stage.masters)


def move_content(source, target):
    """The directory itself stays: it is mounted into the machine."""
    target.mkdir(exist_ok=True)
    for entry in list(source.iterdir()):
        entry.rename(target / entry.name)


ETCDCTL = (
    "etcdctl --dial-timeout=1s --command-timeout=2s --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf --server=https://127.0.0.1:6443 --request-timeout=2s"


def accepts_writes(stage, master):
    return stage.run(master, f"{ETCDCTL} put /haplane-drill/{master} here").returncode == 0


def told_identity(stage, master):
    """The kube-system namespace's UID as this machine's API server tells it; None when it does not answer."""
    answer = stage.run(master, f"{KUBECTL} --tls-server-name=kubernetes get namespace kube-system --output=json")
    return json.loads(answer.stdout)["metadata"]["uid"] if answer.returncode == 0 else None


def nothing_empty_is_served(stage, masters, uid):
    began = time.monotonic()

    def watched():
        for master in masters:
            assert told_identity(stage, master) in (None, uid)
            assert not accepts_writes(stage, master), f"etcd on {master} accepts writes"
        return time.monotonic() - began >= WATCH_SECONDS

    wait_until(watched, 3 * WATCH_SECONDS, f"{WATCH_SECONDS} s in which nothing was served")


def test_two_empty_disks_never_become_a_cluster(stage):
    uid = stage.status()["cluster"]["uid"]
    emptied, whole = stage.masters[:2], stage.masters[2:]
    with wiped_disks(stage, emptied):
        stage.machines.start(emptied)
        nothing_empty_is_served(stage, emptied, uid)
        stage.machines.start(whole)
        nothing_empty_is_served(stage, stage.masters, uid)
    assert stage.wait_until_healthy()["cluster"]["uid"] == uid
