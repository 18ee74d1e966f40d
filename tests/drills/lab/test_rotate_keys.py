"""Keys exchanged while the cluster serves, by the command, and what is stored afterwards."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drills.lab.guarded import into_a_bucket

from haplane.domain.signer import SignerStatement
from haplane.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.soak]

ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
LOCK_SECONDS = 15


@pytest.fixture(scope="module")
def guarded(lab, tmp_path_factory):
    with into_a_bucket(lab, tmp_path_factory.mktemp("operator")) as made:
        yield made
    lab.haplane("up", lab.path, "--yes")


def stored_secrets(lab):
    """Every Secret's value as etcd has it, by its name."""
    said = lab.host(lab.masters[0]).check_output(f"{ETCDCTL} get --prefix /registry/secrets/ --write-out=json")
    return {
        base64.b64decode(item["key"]).decode(): base64.b64decode(item["value"]) for item in json.loads(said)["kvs"]
    }


def writing_key(lab, master):
    text = lab.run(master, "cat /etc/kubernetes/haplane/encryption.yaml").stdout
    return [key["name"] for key in json.loads(text)["resources"][0]["providers"][0]["secretbox"]["keys"]]


def test_the_key_of_secrets_at_rest_is_exchanged_though_the_run_is_killed(guarded):
    lab = guarded.lab
    before = guarded.take()
    [old] = writing_key(lab, lab.masters[0])
    lab.kubectl("create", "secret", "generic", "rotated", "--from-literal=word=kept")
    try:
        words = ["keys", "rotate", guarded.path, "encryption", "--yes"]
        command = [sys.executable, "-m", "haplane", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.DEVNULL, stderr=pipe) as killed:
            wait_until(
                lambda: b"write with the new key" in killed.stderr.readline(), 180, "masters write with the new key"
            )
            killed.kill()
        assert "rotation of the encryption keys is under way" in lab.fails("up", guarded.path, "--yes", code=4)
        told = json.loads(lab.haplane("status", guarded.path, "--json", codes=(0, 6)))["problems"]
        assert any(f"fix: `haplane keys rotate {guarded.path} encryption`" in line for line in told), told
        time.sleep(LOCK_SECONDS)
        outcome = guarded.json(*words)
        new = outcome["encryption_key"]
        assert new != old
        values = stored_secrets(lab)
        assert "/registry/secrets/default/rotated" in values
        assert len(values) == outcome["secrets"]
        prefixes = {value.split(b":")[4] for value in values.values()}
        assert prefixes == {new.encode()}
        print(f"{len(values)} Secrets, all stored as k8s:enc:secretbox:v1:{new}")
        assert {tuple(writing_key(lab, master)) for master in lab.masters} == {(new,)}
        word = lab.kubectl("get", "secret", "rotated", "-o", "jsonpath={.data.word}")
        assert base64.b64decode(word) == b"kept"
        assert guarded.json("up", guarded.path, "--yes")["plan"] == []
        assert guarded.json("snapshot", "verify", guarded.path, before, "--identity", guarded.identity)["restored"]
        guarded.json("snapshot", "verify", guarded.path, guarded.take(), "--identity", guarded.identity, "--deep")
    finally:
        lab.kubectl("delete", "secret", "rotated", "--ignore-not-found")


def edit(guarded, path, **settings):
    """The inventory with other settings of snapshots."""
    text = Path(guarded.path).read_text()
    path.write_text(f'{text}\ncluster["snapshots"] |= {settings!r}\n')
    return str(path)


def member_key(manifest):
    return SignerStatement.parse(manifest["signer"]["statement"]).key


def listed(guarded, path):
    return {one["id"]: one for one in guarded.json("snapshot", "list", path, "--all")["snapshots"]}


def test_signing_keys_are_each_members_own_and_can_be_taken_back(guarded, tmp_path):
    lab = guarded.lab
    keys = {lab.run(name, "sha256sum < /etc/haplane/signing.key").stdout for name in lab.masters}
    keys |= {lab.run(name, "sha256sum < /etc/kubernetes/haplane/signing.key").stdout for name in lab.masters}
    assert len(keys) == len(lab.masters) + 1, "a member's key is nobody else's, and not the cluster's"
    before = guarded.take()
    outcome = guarded.json("keys", "rotate", guarded.path, "signing", "--yes")
    new, old = outcome["signing_key"], outcome["previous_signing_key"]
    assert "is not this cluster's" in lab.fails("up", guarded.path, "--yes", code=4)
    path = edit(guarded, tmp_path / "lab.py", signing_key=new, previous_signing_keys=[old])
    assert guarded.json("up", path, "--yes")["plan"] == []
    after = guarded.json("snapshot", "take", path)["id"]
    assert guarded.json("snapshot", "verify", path, "latest")["id"] == after
    found = listed(guarded, path)
    assert found[before]["verified"]
    assert found[after]["verified"]

    taken_back = edit(guarded, tmp_path / "revoked.py", signing_key=new, revoked_signing_keys=[old])
    assert "revoked" in listed(guarded, taken_back)[before]["problem"]
    member = found[after]["manifest"]["member"]
    revoked = member_key(found[after]["manifest"])
    taken_back = edit(guarded, tmp_path / "revoked.py", signing_key=new, revoked_signing_keys=[old, revoked])
    plan = guarded.json("up", taken_back, "--yes")["plan"]
    assert [line for line in plan if line.startswith(f"{member}: issue keys") and "revoked" in line]
    assert not listed(guarded, taken_back)[after]["verified"]
    again = guarded.json("snapshot", "take", taken_back)
    assert guarded.json("snapshot", "verify", taken_back, "latest")["id"] == again["id"]
