"""All the power at once, and disks that come back empty."""

import json
import shutil
import time
from contextlib import contextmanager

import pytest

from haplane.lab import lifecycle, paths
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

WATCH_SECONDS = 20


def etcd_directory(lab, master):
    return paths.host_directory(lab.inventory.cluster.name, master) / "etcd"


@contextmanager
def wiped_disks(lab, masters):
    """These lose what is in /var/lib/etcd while all masters are off; afterwards all of it is put back."""
    lifecycle.kill(lab.inventory, lab.masters)
    disks = [etcd_directory(lab, master) for master in masters]
    for disk in disks:
        move_content(disk, disk.with_name("etcd-aside"))
    try:
        yield
    finally:
        lifecycle.kill(lab.inventory, lab.masters)
        for disk in disks:
            for left in disk.iterdir():
                shutil.rmtree(left)
            move_content(disk.with_name("etcd-aside"), disk)
        lifecycle.start(lab.inventory, lab.masters)


def move_content(source, target):
    """The directories themselves stay: one is mounted into the machine."""
    target.mkdir(exist_ok=True)
    for entry in list(source.iterdir()):
        entry.rename(target / entry.name)


ETCDCTL = (
    "etcdctl --dial-timeout=1s --command-timeout=2s --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
KUBECTL = (
    "kubectl --kubeconfig=/etc/kubernetes/admin.conf --server=https://127.0.0.1:6443 --tls-server-name=kubernetes "
    "--request-timeout=2s"
)
LAST_WRITE = "written-while-the-third-was-off"


def write_without_the_third(lab):
    """A write that only the other two have: the endpoint acknowledges it while the third is off."""
    lifecycle.kill(lab.inventory, lab.masters[2:])
    create = f"kubectl --kubeconfig=/etc/kubernetes/admin.conf create configmap {LAST_WRITE} --request-timeout=5s"
    wait_until(lambda: lab.run(lab.masters[0], create).returncode == 0, 60, "a write without the third master")


def accepts_writes(lab, master):
    return lab.run(master, f"{ETCDCTL} put /haplane-drill/{master} here").returncode == 0


def served(lab, master):
    """What this machine's API server answers: kube-system's UID and whether the last write is there; or None."""
    answer = lab.run(master, f"{KUBECTL} get namespace kube-system --output=json")
    if answer.returncode != 0:
        return None
    found = lab.run(master, f"{KUBECTL} get configmap {LAST_WRITE}")
    return json.loads(answer.stdout)["metadata"]["uid"], found.returncode == 0


def nothing_but_the_whole_is_served(lab, masters, uid):
    began = time.monotonic()

    def watched():
        for master in masters:
            assert served(lab, master) in (None, (uid, True)), master
            assert not accepts_writes(lab, master), f"etcd on {master} accepts writes"
        return time.monotonic() - began >= WATCH_SECONDS

    wait_until(watched, 3 * WATCH_SECONDS, f"{WATCH_SECONDS} s in which nothing was served")


@pytest.mark.soak
def test_two_empty_disks_never_serve_less_than_was_acknowledged(lab):
    uid = lab.status()["cluster"]["uid"]
    emptied, whole = lab.masters[:2], lab.masters[2:]
    lab.kubectl("delete", "configmap", LAST_WRITE, "--ignore-not-found")
    write_without_the_third(lab)
    with wiped_disks(lab, emptied):
        lifecycle.start(lab.inventory, emptied)
        nothing_but_the_whole_is_served(lab, emptied, uid)
        lifecycle.start(lab.inventory, whole)
        nothing_but_the_whole_is_served(lab, lab.masters, uid)
    assert lab.wait_until_healthy()["cluster"]["uid"] == uid
    assert [served(lab, master) for master in lab.masters] == [(uid, True)] * len(lab.masters)
