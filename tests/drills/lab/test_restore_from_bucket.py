"""With nothing but the inventory, the bucket and the operator's age identity: the same cluster, by one command."""

import json
import secrets
import time

import pytest
from drills.lab.guarded import into_a_bucket
from drills.lab.writing import highest_revision, writers

from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.lab import lifecycle
from haplane.pki.encryption import EncryptionKey, parse_encryption, render_encryption
from haplane.remote.openssh import run
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh

pytestmark = [pytest.mark.lab, pytest.mark.soak]

THIS_RUN = secrets.token_hex(4)
"""The lab is used again, with what earlier runs have left."""
WRITE = 'cat > "$1.new" && chmod 600 "$1.new" && mv "$1.new" "$1"; pkill -x kube-apiserver'
REWRITE = (
    "kubectl --kubeconfig=/etc/kubernetes/admin.conf get secrets --all-namespaces -o json"
    " | kubectl --kubeconfig=/etc/kubernetes/admin.conf replace -f - >&2"
)


@pytest.fixture(scope="module")
def guarded(lab, tmp_path_factory):
    with into_a_bucket(lab, tmp_path_factory.mktemp("operator")) as made:
        yield made
        lab.haplane("up", lab.path, "--yes")


def test_everything_lost(guarded, lab):
    uid = lab.status()["cluster"]["uid"]
    client = Client(administrator(lab.inventory, over_ssh(silent)))
    token = lab.kubectl("create", "token", "default", "--duration=24h")
    lab.kubectl("create", "configmap", f"before-the-snapshot-{THIS_RUN}")
    lab.kubectl("create", "secret", "generic", f"sealed-{THIS_RUN}", "--from-literal=word=swordfish")
    with writers(lab, "everything-lost") as writing:
        begun = time.monotonic()
        taken = guarded.take()
        time.sleep(2)
        before = highest_revision(lab)
        lifecycle.kill(lab.inventory, lab.masters)
        ended = time.monotonic()
        lab.haplane("lab", "wipe", lab.path, *lab.masters)
        lifecycle.start(lab.inventory, lab.masters)
        outcome = guarded.restore()
        writing.again()
        assert writing.lost_of_before(begun, ended, outcome, before) == ()
    assert outcome["revision"] > before
    assert outcome["source"] == f"snapshot {taken}"
    assert outcome["uid"] == uid
    assert client.request("GET", f"/api/v1/namespaces/default/configmaps/before-the-snapshot-{THIS_RUN}").ok
    assert lab.kubectl("get", "secret", f"sealed-{THIS_RUN}", "-o", "jsonpath={.data.word}") == "c3dvcmRmaXNo"
    server = ("--server=https://127.0.0.1:6443", "--insecure-skip-tls-verify", f"--token={token}")
    who = lab.host("m1").check_output("kubectl --kubeconfig=/dev/null %s %s %s auth whoami -o json", *server)
    assert json.loads(who)["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"
    lab.wait_until_healthy()
    lab.verify()


def test_secrets_of_an_older_key_are_read_after_an_older_snapshot_comes_back(guarded, lab):
    lab.kubectl("create", "secret", "generic", f"older-{THIS_RUN}", "--from-literal=word=swordfish")
    taken = guarded.take()
    new = EncryptionKey.generate()
    for name in lab.masters:
        run(
            lab.inventory.host(name),
            "sh",
            "-c",
            WRITE,
            "sh",
            host_paths.ENCRYPTION_YAML,
            stdin=with_key(lab, name, new),
        )
        wait_until_ready(lab)
    assert lab.run("m1", REWRITE).returncode == 0
    for name in lab.masters:
        run(
            lab.inventory.host(name),
            "sh",
            "-c",
            WRITE,
            "sh",
            host_paths.ENCRYPTION_YAML,
            stdin=render_encryption([new]),
        )
        wait_until_ready(lab)
    lab.wait_until_healthy()
    assert "can be recovered without losing data" in guarded_refusal(guarded, taken)
    guarded.restore("--snapshot", taken, "--accept-loss")
    assert lab.kubectl("get", "secret", f"older-{THIS_RUN}", "-o", "jsonpath={.data.word}") == "c3dvcmRmaXNo"
    held = {
        parse_encryption(run(lab.inventory.host(name), "cat", host_paths.ENCRYPTION_YAML), name)
        for name in lab.masters
    }
    assert len(held) == 1
    assert next(iter(held))[0] == new


def wait_until_ready(lab):
    """Not healthy yet: masters have different keys until the last one has its own."""
    wait_until(
        lambda: all(master["apiserver_ready"] for master in lab.status()["masters"]), 180, "API servers are ready"
    )


def with_key(lab, name, key):
    """What that master has, with a key that writes from now on."""
    held = parse_encryption(run(lab.inventory.host(name), "cat", host_paths.ENCRYPTION_YAML), name)
    return render_encryption([key, *held])


def guarded_refusal(guarded, snapshot):
    return guarded.restore("--snapshot", snapshot, codes=(4,))["error"]["what"]


def test_the_newest_is_proven_in_a_sandbox(guarded, lab):
    guarded.take()
    found = guarded.json("snapshot", "verify", guarded.path, "latest", "--identity", guarded.identity, "--deep")
    assert found["deep"]["uid"] == lab.status()["cluster"]["uid"]
    assert found["deep"]["objects"]["/api/v1/nodes"] == len(lab.masters)


def test_what_a_member_still_holds_is_newer_than_the_snapshot_and_wins(guarded, lab):
    guarded.take()
    lab.kubectl("create", "configmap", f"after-the-snapshot-{THIS_RUN}")
    gone = [name for name in lab.masters if name != "m2"]
    lifecycle.kill(lab.inventory, gone)
    lab.haplane("lab", "wipe", lab.path, *gone)
    lifecycle.start(lab.inventory, gone)
    wait_until(lambda: not lab.status()["etcd"]["quorum"]["healthy"], 60, "the quorum is seen to be lost")
    status = lab.status()
    assert status["recovery"]["members"] == ["m2"]
    assert "newer data" in guarded.restore("--snapshot", "latest", codes=(4,))["error"]["what"]
    outcome = guarded.restore()
    assert outcome["source"] == "member m2"
    assert f"after-the-snapshot-{THIS_RUN}" in lab.kubectl("get", "configmaps", "-o", "name", master="m2")
    lab.wait_until_healthy()
