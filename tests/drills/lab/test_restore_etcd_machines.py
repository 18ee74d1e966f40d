"""etcd on machines of its own: all masters lost and no data, then everything lost."""

import time

import pytest
from drills.lab.conftest import ROOT, Stage
from drills.lab.guarded import into_a_bucket
from drills.lab.writing import highest_revision, writers

from haplane.domain.recovery import Cure

pytestmark = [pytest.mark.lab, pytest.mark.soak]

INVENTORY = ROOT / "inventories/lab_external_etcd.py"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    directory = tmp_path_factory.mktemp("external")
    path = directory / "lab.py"
    path.write_text(f'{INVENTORY.read_text()}\ncluster["lab"]["extra_hosts"] = {{"s3": "10.89.6.60"}}\n')
    stage = Stage(str(path))
    stage.haplane("lab", "down", str(path))
    stage.haplane("lab", "up", str(path))
    try:
        with into_a_bucket(stage, directory) as made:
            yield made
    finally:
        stage.haplane("lab", "down", str(path))


def destroy(stage, names):
    """Remade empty, with the addresses they had."""
    stage.machines.kill(names)
    stage.haplane("lab", "wipe", stage.path, *names)
    stage.machines.start(names)


def has(stage, name):
    return f"configmap/{name}" in stage.kubectl("get", "configmaps", "-o", "name").splitlines()


def test_all_masters_lost_loses_no_write(guarded):
    stage = guarded.stage
    uid = stage.status()["cluster"]["uid"]
    guarded.take()
    stage.kubectl("create", "secret", "generic", "sealed", "--from-literal=word=swordfish")
    with writers(stage, "masters-lost") as writing:
        time.sleep(2)
        before = highest_revision(stage)
        destroy(stage, stage.masters)
        ended = time.monotonic()
        assert "haplane restore" in stage.fails("up", guarded.path, "--yes", code=4)
        recovery = stage.status()["recovery"]
        assert (recovery["cure"], recovery["members"]) == (Cure.SURVIVOR.value, ["e1", "e2", "e3"])
        outcome = guarded.restore()
        writing.again()
        assert writing.lost_of_before(ended, ended, outcome, before) == ()
    assert outcome["source"] in {f"member {name}" for name in recovery["members"]}
    assert outcome["uid"] == uid
    assert stage.kubectl("get", "secret", "sealed", "-o", "jsonpath={.data.word}") == "c3dvcmRmaXNo"
    stage.wait_until_healthy()
    stage.verify()


def test_everything_lost(guarded):
    stage = guarded.stage
    uid = stage.status()["cluster"]["uid"]
    stage.kubectl("create", "configmap", "before-the-snapshot")
    taken = guarded.take()
    destroy(stage, [host.name for host in stage.inventory.hosts])
    outcome = guarded.restore()
    assert outcome["source"] == f"snapshot {taken}"
    assert outcome["uid"] == uid
    assert has(stage, "before-the-snapshot")
    stage.wait_until_healthy()
    stage.verify()
