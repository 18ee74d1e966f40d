"""etcd on machines of its own: all masters lost and no data, then everything lost."""

import time

import pytest
from drills.lab.a_lab import ROOT, Lab
from drills.lab.guarded import into_a_bucket
from drills.lab.writing import highest_revision, writers

from haplane.domain.assessment import RecoveryAction
from haplane.lab import lifecycle

pytestmark = [pytest.mark.lab, pytest.mark.soak]

INVENTORY = ROOT / "inventories/lab_external_etcd.py"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    directory = tmp_path_factory.mktemp("external")
    path = directory / "lab.py"
    path.write_text(f'{INVENTORY.read_text()}\ncluster["lab"]["extra_hosts"] = {{"s3": "10.89.6.60"}}\n')
    lab = Lab(str(path))
    lab.haplane("lab", "down", str(path))
    lab.haplane("lab", "up", str(path))
    try:
        with into_a_bucket(lab, directory) as made:
            yield made
    finally:
        lab.haplane("lab", "down", str(path))


def destroy(lab, names):
    """Remade empty, with the addresses they had."""
    lifecycle.kill(lab.inventory, names)
    lab.haplane("lab", "wipe", lab.path, *names)
    lifecycle.start(lab.inventory, names)


def has(lab, name):
    return f"configmap/{name}" in lab.kubectl("get", "configmaps", "-o", "name").splitlines()


def test_all_masters_lost_loses_no_write(guarded):
    lab = guarded.lab
    uid = lab.status()["cluster"]["uid"]
    guarded.take()
    lab.kubectl("create", "secret", "generic", "sealed", "--from-literal=word=swordfish")
    with writers(lab, "masters-lost") as writing:
        time.sleep(2)
        before = highest_revision(lab)
        destroy(lab, lab.masters)
        ended = time.monotonic()
        assert "haplane restore" in lab.fails("up", guarded.path, "--yes", code=4)
        recovery = lab.status()["recovery"]
        assert (recovery["action"], recovery["members"]) == (RecoveryAction.SURVIVOR.value, ["e1", "e2", "e3"])
        outcome = guarded.restore()
        writing.again()
        assert writing.lost_of_before(ended, ended, outcome, before) == ()
    assert outcome["source"] in {f"member {name}" for name in recovery["members"]}
    assert outcome["uid"] == uid
    assert lab.kubectl("get", "secret", "sealed", "-o", "jsonpath={.data.word}") == "c3dvcmRmaXNo"
    lab.wait_until_healthy()
    lab.verify()


def test_everything_lost(guarded):
    lab = guarded.lab
    uid = lab.status()["cluster"]["uid"]
    lab.kubectl("create", "configmap", "before-the-snapshot")
    taken = guarded.take()
    destroy(lab, [host.name for host in lab.inventory.hosts])
    outcome = guarded.restore()
    assert outcome["source"] == f"snapshot {taken}"
    assert outcome["uid"] == uid
    assert has(lab, "before-the-snapshot")
    lab.wait_until_healthy()
    lab.verify()
