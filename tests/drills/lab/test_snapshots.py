"""Snapshots on real members, into two S3 servers: in the right slots, verified, encrypted, pruned, never silent."""

import json
import os
import time
from contextlib import contextmanager
from datetime import datetime

import pytest
from drills.lab import s3_host

from haplane.lab import lifecycle
from haplane.remote.openssh import ssh_command
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

INTERVAL = 20
KEPT_LOCALLY = 3
SERVER = "s3"
PREFIX = "backups/of-the-lab"
PROBE = "haplane-snapshot-probe"


class Snapshots:
    """The lab's inventory with snapshots, and what is asked of them."""

    def __init__(self, lab, path, identity, server):
        self.lab, self.path, self.identity, self.server = lab, str(path), str(identity), server
        self.prefix = f"{PREFIX}/{lab.inventory.cluster.name}/"

    def haplane(self, *words, codes=(0,)):
        return self.lab.haplane(*words, codes=codes)

    def json(self, *words, codes=(0,)):
        return json.loads(self.haplane(*words, "--json", codes=codes))

    def listed(self):
        return self.json("snapshot", "list", self.path, codes=(0, 6))["snapshots"]

    def status(self):
        return self.json("status", self.path, codes=(0, 6))

    def verify(self, snapshot="latest", *words, codes=(0,)):
        return self.json("snapshot", "verify", self.path, snapshot, *words, codes=codes)

    def new_ones(self, number, since):
        """That many good ones taken after ``since`` (an id), everywhere they belong."""

        def there():
            found = [
                one for one in self.listed() if one["id"] > since and one["verified"] and "bucket" in one["where"]
            ]
            return found if len(found) >= number else None

        return wait_until(there, (number + 6) * INTERVAL, f"{number} good snapshots", every=2.0, why=self.explain)

    def healthy(self):
        status = self.status()
        return status if status["healthy"] else None

    def explain(self):
        return json.dumps(self.status()["snapshots"], indent=1)

    def last(self):
        return max((one["id"] for one in self.listed()), default="")


@pytest.fixture(scope="module")
def servers(lab, tmp_path_factory):
    address = str(lab.inventory.cluster.lab.extra_hosts[SERVER])
    like = lab.inventory.masters[0]
    host = like.model_copy(update={"name": SERVER, "ssh": like.ssh.model_copy(update={"hostname": address})})
    directory = tmp_path_factory.mktemp("s3")
    return s3_host.start(lambda *words: ssh_command(host, *words), address, directory)


@pytest.fixture(scope="module")
def identity(lab, tmp_path_factory):
    """As an operator makes it; what `keys check` remembers is in a directory of the test."""
    directory = tmp_path_factory.mktemp("operator")
    os.environ["XDG_STATE_HOME"] = str(directory / "state")
    file = directory / "identity"
    recipient = json.loads(lab.haplane("keys", "new", str(file), "--json"))["recipient"]
    yield file, recipient
    del os.environ["XDG_STATE_HOME"]


@pytest.fixture(scope="module")
def snapshots(lab, servers, identity, tmp_path_factory):
    """Scheduled into moto's bucket; taken off again at the end."""
    file, recipient = identity
    path = tmp_path_factory.mktemp("inventory") / "lab.py"
    made = Snapshots(lab, path, file, servers["moto"])
    write(lab, path, recipient, servers["moto"])
    refusal = lab.haplane("up", str(path), "--yes", "--json", codes=(4,))
    assert "keys check" in refusal
    lab.haplane("keys", "check", str(file))
    outcome = made.json("up", str(path), "--yes")
    write(lab, path, recipient, servers["moto"], signing_key=outcome["signing_key"])
    assert outcome["warnings"] == []
    assert outcome["signing_key"], "it is told at once"
    yield made
    lab.haplane("up", lab.path, "--yes")
    for name in members(lab):
        assert not lab.host(name).file("/etc/haplane/signing.key").exists
        assert "haplane-snapshot" not in lab.host(name).check_output("systemctl list-units --all --plain")


def write(lab, path, recipient, server, **more):
    setting = {
        "recipients": [recipient], "interval_seconds": INTERVAL, "keep_local": {"last": KEPT_LOCALLY},
        "keep_remote": {"last": 4}, "s3": server.settings(prefix=PREFIX), **more,
    }  # fmt: skip
    text = (lab.root / lab.path).read_text()
    path.write_text(f'{text}\ncluster["snapshots"] = {setting!r}\n')


def members(lab):
    return [host.name for host in lab.inventory.etcd]


def leader(lab):
    return next(member["name"] for member in lab.status()["etcd"]["members"] if member["leader"])


def test_they_come_regularly_from_followers_whole_and_in_both_places(snapshots, lab):
    leading = leader(lab)
    found = snapshots.new_ones(3, snapshots.last())
    if leader(lab) == leading:
        assert {one["manifest"]["member"] for one in found} == set(members(lab)) - {leading}, "in turns"
    moments = sorted(datetime.fromisoformat(one["manifest"]["taken_at"]).timestamp() for one in found)
    slots = [moment // INTERVAL for moment in moments]
    assert len(set(slots)) == len(slots), "one snapshot for each slot"
    assert max(b - a for a, b in zip(slots, slots[1:], strict=False)) <= 3
    verified = snapshots.verify("latest", "--identity", snapshots.identity)
    assert {copy["problem"] for copy in verified["copies"]} == {None}
    assert len(verified["copies"]) == 2
    assert verified["restored"]["revision"] == verified["manifest"]["revision"] > 1
    status = wait_until(
        lambda: (told := snapshots.status())["healthy"] and told, 120, "healthy", why=snapshots.explain
    )
    assert status["snapshots"]["age_seconds"] <= 3 * INTERVAL
    assert status["snapshots"]["rpo_seconds"] > INTERVAL
    table = snapshots.haplane("snapshot", "list", snapshots.path)
    assert max(len(line) for line in table.splitlines()) <= 100


def test_a_second_run_changes_nothing_and_a_verified_cluster_has_its_timers(snapshots):
    assert "Nothing to change" in snapshots.haplane("up", snapshots.path, "--yes")
    checks = snapshots.json("verify", snapshots.path)["checks"]
    assert {check["outcome"] for check in checks if check["group"] == "services"} == {"passed"}


@pytest.mark.soak
def test_members_keep_the_last_ones_and_the_bucket_what_prune_leaves(snapshots, lab):
    snapshots.new_ones(2 * KEPT_LOCALLY + 1, "")
    for name in members(lab):
        kept = lab.host(name).check_output("ls /var/lib/haplane/snapshots | grep -c r[0-9] || true")
        assert int(kept) <= KEPT_LOCALLY + 1, "one may be new"
    before = {key.split("/")[3] for key in snapshots.server.objects() if key.count("/") > 3}
    planned = snapshots.json("snapshot", "prune", snapshots.path, "--dry-run")
    assert planned["removable"]
    done = snapshots.json("snapshot", "prune", snapshots.path, "--yes")
    left = {one["id"] for one in snapshots.listed() if "bucket" in one["where"]}
    assert set(done["removed"]) & left == set()
    assert max(before) in left


@pytest.mark.soak
def test_nothing_plain_is_in_the_bucket_or_on_a_disk(snapshots, lab):
    """A value that is in etcd is in no file of the snapshots, and no key is readable by others."""
    lab.kubectl("create", "configmap", PROBE, f"--from-literal=word={PROBE}-word")
    try:
        [newest, *_] = snapshots.new_ones(2, snapshots.last())
        prefix = f"{snapshots.prefix}{newest['id']}/"
        for part in ("snapshot.db.zst.age", "keys.age"):
            content = snapshots.server.client().get_object(Bucket=s3_host.BUCKET, Key=prefix + part)["Body"].read()
            assert content.startswith(b"age-encryption.org/v1\n")
            assert PROBE.encode() not in content
        for name in members(lab):
            found = lab.host(name).run("grep -rl %s /var/lib/haplane /etc/haplane", f"{PROBE}-word")
            assert found.stdout.strip() == ""
            modes = lab.host(name).check_output("find /etc/haplane /var/lib/haplane/snapshots -type f -perm /077")
            assert set(modes.split()) <= {"/etc/haplane/s3-ca.crt"}
    finally:
        lab.kubectl("delete", "configmap", PROBE)


@pytest.mark.soak
def test_swapped_and_deleted_objects_are_found(snapshots):
    client = snapshots.server.client()
    older, newer = (one["id"] for one in reversed(snapshots.new_ones(2, "")[:2]))
    key = f"{snapshots.prefix}{newer}/snapshot.db.zst.age"
    content = client.get_object(Bucket=s3_host.BUCKET, Key=key)["Body"].read()
    other = key.replace(newer, older)
    swapped = client.get_object(Bucket=s3_host.BUCKET, Key=other)["Body"].read()
    client.put_object(Bucket=s3_host.BUCKET, Key=key, Body=swapped)
    found = snapshots.verify(newer, codes=(6,))
    assert [copy["place"] for copy in found["copies"] if copy["problem"]] == ["bucket"]
    client.delete_object(Bucket=s3_host.BUCKET, Key=key)
    found = snapshots.verify(newer, codes=(6,))
    assert "not" in next(copy["problem"] for copy in found["copies"] if copy["place"] == "bucket")
    client.put_object(Bucket=s3_host.BUCKET, Key=key, Body=content)
    snapshots.verify(newer)


@contextmanager
def cut(lab, name):
    lifecycle.cut(lab.inventory, [name])
    try:
        yield
    finally:
        lifecycle.heal(lab.inventory, [name])


@pytest.mark.soak
def test_a_member_that_is_cut_off_takes_its_own_and_resets_nothing(snapshots, lab):
    alone = next(name for name in members(lab) if name != leader(lab))
    since = snapshots.last()
    with cut(lab, alone):
        time.sleep(5 * INTERVAL)
        others = [one for one in snapshots.listed() if one["id"] > since and one["verified"]]
        assert {one["manifest"]["member"] for one in others} <= set(members(lab)) - {alone}
        assert len(others) >= 3
    status = wait_until(lambda: told(snapshots, alone), 60, f"{alone} tells again", every=1.0)
    marked = [one for one in snapshots.listed() if one["id"] > since and one["manifest"]["member"] == alone]
    without = [one for one in marked if one["manifest"]["quorum_revision"] is None]
    assert without, json.dumps(marked)
    assert not any(one["verified"] for one in without)
    assert status["last_taken_at"] is None or status["last_taken_at"] < without[0]["manifest"]["taken_at"]


def told(snapshots, name):
    said = snapshots.status()["snapshots"]["members"]
    member = next(one for one in said if one["name"] == name)
    return member if member["local"] is not None else None


ETCDCTL = """
export ETCDCTL_ENDPOINTS=https://127.0.0.1:2379 ETCDCTL_CACERT=/etc/etcd/pki/ca.crt
export ETCDCTL_CERT=/etc/etcd/pki/healthcheck-client.crt ETCDCTL_KEY=/etc/etcd/pki/healthcheck-client.key
"""
LARGE = f"""{ETCDCTL}
for number in $(seq 40); do head -c 1000000 /dev/urandom | etcdctl put /haplane-test/$number; done
"""
FORGET = f"{ETCDCTL} etcdctl del --prefix /haplane-test/"
FROZEN_IN_MID_UPLOAD = """
/opt/haplane/agent/run take >/dev/null 2>&1 &
for _ in $(seq 10000); do
    if test -e /var/lib/haplane/snapshots/.upload.json; then pkill -STOP -f /opt/haplane/agent; exit; fi
    sleep 0.01
done
exit 1
"""


@pytest.mark.soak
def test_a_host_that_dies_in_mid_upload_leaves_nothing_that_looks_like_a_snapshot(snapshots, lab):
    """With 40 MB in etcd an upload has several parts; the agent is frozen in it until the power is cut."""
    victim = next(name for name in members(lab) if name != leader(lab))
    before = snapshots.last()
    lab.run(victim, LARGE)
    try:
        assert lab.run(victim, FROZEN_IN_MID_UPLOAD).returncode == 0, "no upload was seen"
        lifecycle.kill(lab.inventory, [victim])
        assert all(one["verified"] for one in snapshots.listed() if one["id"] > before)
        assert unfinished(snapshots), "it was over already"
        lifecycle.start(lab.inventory, [victim])
        wait_until(lambda: not unfinished(snapshots), 6 * INTERVAL, "the upload is aborted", every=2.0)
        work = "/var/lib/haplane/snapshots/.work"
        wait_until(lambda: not lab.host(victim).file(work).exists, 3 * INTERVAL, "nothing plain stays", every=0.5)
        snapshots.new_ones(2, snapshots.last())
    finally:
        lifecycle.start(lab.inventory, [victim])
        lab.run(leader(lab), FORGET)


def unfinished(snapshots):
    client = snapshots.server.client()
    return client.list_multipart_uploads(Bucket=s3_host.BUCKET, Prefix=snapshots.prefix).get("Uploads", [])


@pytest.mark.soak
def test_a_bucket_that_refuses_is_told_by_up_and_by_status(snapshots, lab, servers, identity, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text(servers["rclone"].credentials.read_text().replace(s3_host.SECRET, "not-the-secret-0123456789"))
    path = tmp_path / "lab.py"
    broken = s3_host.S3Server(servers["rclone"].url, servers["rclone"].authority, wrong)
    write(lab, path, identity[1], broken)
    outcome = snapshots.json("up", str(path), "--yes", codes=(6,))
    assert len(outcome["warnings"]) == len(members(lab))
    assert "not-the-secret" not in json.dumps(outcome)


@pytest.mark.soak
def test_the_other_server_serves_as_well(snapshots, lab, servers, identity, tmp_path):
    path = tmp_path / "lab.py"
    write(lab, path, identity[1], servers["rclone"])
    other = Snapshots(lab, path, identity[0], servers["rclone"])
    assert other.json("up", str(path), "--yes")["warnings"] == []
    other.new_ones(2, other.last())
    found = other.verify("latest", "--identity", str(identity[0]))
    assert {copy["problem"] for copy in found["copies"]} == {None}
    assert other.json("snapshot", "take", str(path))["quorum_revision"] is not None
    lab.haplane("up", snapshots.path, "--yes")
