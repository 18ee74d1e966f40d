"""One master or member lost: its machine destroyed, or its data damaged. It comes back and clients see nothing."""

import json
import time

import pytest
from clients import clients

from haplane.lab import lifecycle
from haplane.lab.lifecycle import wipe
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab


def destroyed(lab, *masters):
    """Power cut, disk emptied, power back: the machine has its name and address and nothing else."""
    lifecycle.kill(lab.inventory, masters)
    wipe(lab.inventory, masters)
    lifecycle.start(lab.inventory, masters)


def repaired(lab, master, story):
    """By the command, with clients at the endpoint; what became of their requests."""
    uid = lab.status()["cluster"]["uid"]
    with clients(lab.inventory) as seen:
        began = time.monotonic()
        document = json.loads(lab.haplane("node", "repair", lab.path, master, "--yes", "--json"))
        seconds = time.monotonic() - began
    seen.tell(f"{story}, {seconds:.0f} s")
    assert document["status"]["healthy"], document["status"]["problems"]
    assert document["status"]["cluster"]["uid"] == uid
    assert document["status"]["etcd"]["quorum"] == {"voters": 3, "healthy": 3, "needed": 2, "can_lose": 1}
    assert seen.lost == ()
    assert seen.after > seen.before
    return document, seen


@pytest.mark.parametrize("master", ["m1", pytest.param("m2", marks=pytest.mark.soak)])
def test_a_destroyed_machine_comes_back_under_its_name(lab, master):
    destroyed(lab, master)
    _, seen = repaired(lab, master, f"{master} destroyed and repaired")
    assert seen.failed == 0, seen.failures
    assert json.loads(lab.haplane("up", lab.path, "--yes", "--json"))["changed"] is False


def member_ids(lab):
    return sorted(member["id"] for member in lab.status()["etcd"]["members"])


@pytest.mark.soak
def test_without_a_majority_nothing_is_repaired(lab):
    """Two of three machines without power: the third one's word alone is not enough to change anything."""
    before = member_ids(lab)
    lifecycle.kill(lab.inventory, lab.masters[1:])
    try:
        said = lab.haplane("node", "repair", lab.path, "m1", "--yes", "--json", codes=(3, 4, 6))
        assert '"changed": true' not in said
    finally:
        lifecycle.start(lab.inventory, lab.masters[1:])
    lab.wait_until_healthy()
    assert member_ids(lab) == before


FLIP = """
python3 - <<'END'
import re
data = open("/var/lib/etcd/member/snap/db", "r+b")
content = data.read()
places = [found.start() for found in re.finditer(b"haplane-story-mark", content)]
for place in places:
    data.seek(place)
    data.write(b"HAPLANE-story-mark")
data.flush()
print(len(places))
END
"""
MARK = "kubectl --kubeconfig=/etc/kubernetes/admin.conf create configmap mark-{0} --from-literal=mark={0}"


def flip_bytes(lab, master):
    """In the values of etcd's own file, so that it can still be read: only a comparison with the others tells."""
    done = lab.run(master, FLIP)
    assert int(done.stdout) > 0, done.stderr


ETCDCTL = (
    "etcdctl --command-timeout=5s --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)


def mark(lab, master):
    """Something that is written in the clear."""
    assert lab.run(master, f"{ETCDCTL} put /haplane-story haplane-story-mark").returncode == 0


def follower(lab):
    return next(member["name"] for member in lab.status()["etcd"]["members"] if not member["leader"])


def problem_of(lab, master):
    problems = lab.status()["problems"]
    return next((problem for problem in problems if f"etcd member {master}: its data is damaged" in problem), None)


@pytest.mark.soak
def test_damaged_data_are_found_when_the_member_starts(lab):
    mark(lab, "m1")
    master = follower(lab)
    lab.run(master, "systemctl stop etcd")
    flip_bytes(lab, master)
    lab.run(master, "systemctl start --no-block etcd")
    problem = wait_until(lambda: problem_of(lab, master), 60, "status names the damaged member", every=1.0)
    assert "haplane node repair" in problem
    lab.haplane("up", lab.path, "--yes", "--json", codes=(6,))  # the rest is looked after, this one is not touched
    _, seen = repaired(lab, master, f"{master} with flipped bytes, found at its start")
    assert seen.failed == 0, seen.failures


@pytest.mark.soak
def test_damaged_data_are_found_within_ten_minutes_while_the_member_runs(lab):
    mark(lab, "m1")
    master = follower(lab)
    flip_bytes(lab, master)
    began = time.monotonic()
    problem = wait_until(lambda: problem_of(lab, master), 600, "etcd finds the damage by itself", every=5.0)
    print(f"\nfound after {time.monotonic() - began:.0f} s: {problem}")  # noqa: T201
    began = time.monotonic()  # until it is repaired nobody can write: etcd itself refuses
    document = json.loads(lab.haplane("node", "repair", lab.path, master, "--yes", "--json"))
    print(f"{master} with flipped bytes, found while it ran: repaired in {time.monotonic() - began:.0f} s")  # noqa: T201
    assert document["changed"]
    assert document["status"]["healthy"], document["status"]["problems"]
    with clients(lab.inventory) as seen:
        time.sleep(5)
    assert (seen.failed, seen.lost) == (0, ()), seen.failures


def inventory_with(lab, tmp_path, masters, extra):
    """The lab's inventory with these masters, by name and last octet."""
    lines = (lab.root / lab.path).read_text().splitlines()
    listed = ", ".join(f'_host("{name}", {number})' for name, number in masters.items())
    spare = ", ".join(f'"{name}": f"{{_NETWORK}}.{number}"' for name, number in extra.items())
    changed = {"masters = ": f"masters = ([{listed}], _ssh)", "extra_hosts": f'        "extra_hosts": {{{spare}}},'}
    text = [next((new for old, new in changed.items() if old in line), line) for line in lines]
    path = tmp_path / "lab.py"
    path.write_text("\n".join([*text, ""]))
    return str(path)


@pytest.mark.soak
def test_another_machine_takes_the_place_of_one_that_cannot_be_reached(lab, tmp_path):
    """And back, so that the lab is as it was. The first on the list goes, and stays dark."""
    there = inventory_with(lab, tmp_path, {"w1": 31, "m2": 22, "m3": 23}, {"m1": 21})
    lifecycle.kill(lab.inventory, ["m1"])
    wait_until(lambda: not ready(lab, "m1"), 120, "its node is NotReady", every=2.0)
    replaced(lab, there, "w1 in the place of m1, which has no power")
    lifecycle.kill(lab.inventory, ["w1"])
    wipe(lab.inventory, ["m1", "w1"])
    lifecycle.start(lab.inventory, ["m1", "w1"])
    wait_until(lambda: not ready(lab, "w1"), 120, "its node is NotReady", every=2.0)
    replaced(lab, lab.path, "m1, made anew, in the place of w1")


def ready(lab, name):
    nodes = json.loads(lab.kubectl("get", "nodes", "--output=json", master="m2"))["items"]
    conditions = [c for node in nodes if node["metadata"]["name"] == name for c in node["status"]["conditions"]]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def replaced(lab, inventory, story):
    with clients(lab.inventory) as seen:
        document = json.loads(lab.haplane("up", inventory, "--yes", "--json"))
    seen.tell(story)
    assert document["status"]["healthy"], document["status"]["problems"]
    assert len(document["status"]["etcd"]["members"]) == document["status"]["etcd"]["quorum"]["voters"] == 3
    assert (seen.failed, seen.lost) == (0, ()), seen.failures
