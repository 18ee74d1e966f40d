"""A disk that is full under one member, and etcd at its quota: named as what they are, and nothing is given up."""

import json
import time

import pytest

from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

REFUSED = 4
ETCDCTL = (
    "etcdctl --command-timeout=5s --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
SMALL_DISK = """
systemctl stop etcd
cp -a /var/lib/etcd /root/etcd-before
mount -t tmpfs -o size=$(($(du -sm --apparent-size /root/etcd-before | cut -f1) + 100))m,mode=700 tmpfs /var/lib/etcd
cp -a /root/etcd-before/. /var/lib/etcd/
rm -rf /root/etcd-before
systemctl start --no-block etcd
"""
FILL = "dd if=/dev/zero of=/var/lib/etcd/FILL bs=1M 2>/dev/null || true"
OWN_DISK_AGAIN = """
systemctl stop etcd
rm -rf /root/etcd-kept
cp -a /var/lib/etcd /root/etcd-kept
umount /var/lib/etcd
rm -rf /var/lib/etcd/member
cp -a /root/etcd-kept/member /var/lib/etcd/member
rm -rf /root/etcd-kept
systemctl start --no-block etcd
"""
MORE = f"""
head -c 900000 /dev/urandom >/tmp/value
for n in $(seq 12); do {ETCDCTL} put story/$(date +%s%N) </tmp/value >/dev/null || true; done
rm /tmp/value
"""
DROP_IN = "/etc/systemd/system/etcd.service.d/quota.conf"
SMALL_QUOTA = f"""
mkdir -p $(dirname {DROP_IN})
printf '[Service]\\nEnvironment=ETCD_QUOTA_BACKEND_BYTES=50331648\\n' >{DROP_IN}
systemctl daemon-reload
systemctl restart etcd
"""
CHURN = f"""
head -c 1000000 /dev/urandom >/tmp/value
for n in $(seq 80); do {ETCDCTL} put story/churn </tmp/value >/dev/null 2>/tmp/why || break; done
cat /tmp/why
rm -f /tmp/value /tmp/why
"""


def on(lab, name, script):
    done = lab.run(name, script)
    assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"
    return done.stdout


def ids(lab):
    return {member["name"]: member["id"] for member in lab.status()["etcd"]["members"]}


def named(lab, words):
    """The problem with these words, once status has it."""
    return wait_until(
        lambda: next((one for one in lab.status()["problems"] if words in one), None), 30, f"status names {words}"
    )


def written_until_m3_ends(lab):
    """How much its database takes first depends on the pages that are free in it."""
    lab.run("m1", MORE)
    return lab.run("m3", f"{ETCDCTL} get x").returncode != 0


@pytest.mark.soak
def test_a_full_disk_under_one_member_costs_nobody_anything(lab):
    before = ids(lab)
    try:
        on(lab, "m3", SMALL_DISK)
        wait_until(lambda: lab.run("m3", f"{ETCDCTL} get x").returncode == 0, 20, "m3 serves from the small disk")
        on(lab, "m3", FILL)
        wait_until(lambda: written_until_m3_ends(lab), 90, "m3 ends on its full disk", every=0.1)
        problem = named(lab, "etcd member m3: its disk is full")
        assert "no space left on device" in problem
        assert not any("damaged" in one or "repair" in one for one in lab.status()["problems"])
        done = json.loads(lab.haplane("node", "repair", lab.path, "m3", "--yes", "--json", codes=(REFUSED,)))
        assert "its data may be intact" in str(done["error"])
        assert "MiB free at /var/lib/etcd" in str(done["error"])
        assert ids(lab) == before
        on(lab, "m3", "rm /var/lib/etcd/FILL")
        wait_until(lambda: lab.run("m3", f"{ETCDCTL} get x").returncode == 0, 30, "m3 serves once there is room")
        assert lab.status()["etcd"]["quorum"]["can_lose"] == 1
    finally:
        lab.run("m3", f"rm -f /var/lib/etcd/FILL; {OWN_DISK_AGAIN}")
        lab.run("m1", f"{ETCDCTL} del --prefix story/")
    lab.wait_until_healthy()
    assert ids(lab) == before
    assert json.loads(lab.haplane("up", lab.path, "--yes", "--json"))["changed"] is False


@pytest.mark.soak
def test_etcd_at_its_quota_keeps_its_quorum_and_up_makes_room(lab):
    for name in lab.masters:
        on(lab, name, SMALL_QUOTA)
        wait_until(lambda name=name: lab.run(name, f"{ETCDCTL} get x").returncode == 0, 20, f"{name} serves")
    try:
        assert "database space exceeded" in on(lab, "m1", CHURN)
        status = lab.status()
        assert status["etcd"]["quorum"] == {"voters": 3, "healthy": 3, "needed": 2, "can_lose": 1}
        assert {member["quota_bytes"] for member in status["etcd"]["members"]} == {50331648}
        assert any("NOSPACE" in member["alarms"] for member in status["etcd"]["members"])
        assert any(one.startswith("etcd is out of space (alarm NOSPACE)") for one in status["problems"])
        assert any(DROP_IN in note for note in status["notes"])
        began = time.monotonic()
        document = json.loads(lab.haplane("up", lab.path, "--yes", "--json", codes=(6,)))  # the drop-in is left
        print(f"\nroom was made in {time.monotonic() - began:.0f} s")  # noqa: T201
        assert document["warnings"] == []
        assert all("NOSPACE" not in problem for problem in document["status"]["problems"])
        assert lab.run("m2", f"{ETCDCTL} put story/after x").returncode == 0
    finally:
        for name in lab.masters:
            lab.run(name, f"rm -f {DROP_IN}")
        lab.run("m1", f"{ETCDCTL} del --prefix story/")
    document = json.loads(lab.haplane("up", lab.path, "--yes", "--json"))
    assert document["changed"]  # each member is restarted with the inventory's quota
    assert {member["quota_bytes"] for member in document["status"]["etcd"]["members"]} == {2 << 30}


def test_etcd_runs_as_a_user_of_its_own_and_its_files_are_that_users_alone(lab):
    for name in lab.masters:
        seen = on(
            lab,
            name,
            "ps -o user= -C etcd; stat -c '%U:%G %a' /var/lib/etcd /var/lib/etcd/member "
            "/etc/etcd/pki/server.key /etc/etcd/pki/peer.key; stat -c %U /etc/etcd/pki/healthcheck-client.key; "
            "systemctl show etcd --property=NoNewPrivileges,ProtectSystem,CapabilityBoundingSet",
        )
        assert seen.split() == [
            "etcd", "etcd:etcd", "700", "etcd:etcd", "700", "etcd:etcd", "600", "etcd:etcd", "600", "root",
            "CapabilityBoundingSet=", "ProtectSystem=strict", "NoNewPrivileges=yes",
        ]  # fmt: skip
