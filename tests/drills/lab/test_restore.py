"""The cluster from a snapshot: in place, interrupted anywhere, after everything was lost."""

import json
import subprocess
import sys
import time

import pytest
from drills.lab.writing import writers

from haplane.context.phase import Phase
from haplane.domain.progress import silent
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.lab import lifecycle
from haplane.phases.converge.check_bucket import CHECK_BUCKET
from haplane.pki.cluster_identity import IDENTITY_PATHS
from haplane.remote.openssh import read_files, run
from haplane.workflows.prepare import over_ssh
from haplane.workflows.restore import ENTRIES

pytestmark = pytest.mark.lab

ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
BARE = ("--unsigned", "--yes", "--json")


def bare_snapshot(lab, directory, master="m2"):
    """What `etcdctl snapshot save` gives on a member, brought here; the moment at which it was begun."""
    begun = time.monotonic()
    done = lab.run(master, f"{ETCDCTL} snapshot save /root/bare.db >&2")
    assert done.returncode == 0, done.stderr
    file = directory / "bare.db"
    file.write_bytes(run(lab.inventory.host(master), "cat", "/root/bare.db"))
    lab.run(master, "rm -f /root/bare.db")
    return file, begun


def watch(client, version, seconds=3):
    """The first events of a watch on ConfigMaps from that version on."""
    path = f"/api/v1/configmaps?watch=1&resourceVersion={version}&timeoutSeconds={seconds}"
    return client.request("GET", path, seconds=seconds + 10)


def arguments(lab, file, *words):
    return ("restore", lab.path, "--file", str(file), *words, *BARE, "--confirm", lab.inventory.cluster.name)


def test_in_place(lab, tmp_path):
    uid = lab.status()["cluster"]["uid"]
    with writers(lab, "restore-in-place") as writing:
        file, begun = bare_snapshot(lab, tmp_path)
        version = writing.client.request("GET", "/api/v1/configmaps?limit=1").document()["metadata"][
            "resourceVersion"
        ]
        time.sleep(2)
        assert "can be recovered without losing data" in lab.haplane(*arguments(lab, file), codes=(4,))
        outcome = json.loads(lab.haplane(*arguments(lab, file, "--accept-loss")))
        writing.again()
        assert writing.lost_of_before(begun, begun + 2, outcome, outcome["revision_before"]) == ()
    assert outcome["uid"] == uid
    assert outcome["revision"] > outcome["revision_before"]
    told = watch(writing.client, version)
    assert told.status == 410 or b'"code":410' in told.body
    assert outcome["status"]["healthy"], outcome["status"]["problems"]
    aside = {(name, outcome["previous_data"]) for name in lab.masters}
    assert aside <= {(one["host"], one["path"]) for one in lab.status()["recovery"]["previous_data"]}
    removed = json.loads(lab.haplane("node", "discard", lab.path, "--yes", "--json"))["removed"]
    assert aside <= {(one["host"], one["path"]) for one in removed}
    assert lab.status()["recovery"]["previous_data"] == []


def kept(lab, number):
    """Whether an object of before the snapshot is there."""
    return f"story-{number}" in lab.kubectl("get", "configmaps", "-o", "name")


PHASES = [entry for entry in ENTRIES if isinstance(entry, Phase) and entry.when and not entry.breakable]
STOPS = [phase.title for phase in PHASES if phase is not CHECK_BUCKET]  # this lab has none


@pytest.mark.soak
@pytest.mark.parametrize("title", STOPS)
def test_killed_at_any_step_the_same_command_completes_it(lab, tmp_path, title):
    uid = lab.status()["cluster"]["uid"]
    number = STOPS.index(title)
    lab.kubectl("create", "configmap", f"story-{number}")
    file, _ = bare_snapshot(lab, tmp_path)
    lab.kubectl("create", "configmap", f"later-{number}")
    words = [word for word in arguments(lab, file, "--accept-loss") if word != "--json"]
    killed_at(lab, words, f"restore: {title}")
    outcome = json.loads(lab.haplane(*arguments(lab, file, "--accept-loss"), codes=(0,)))
    assert outcome["uid"] == uid
    assert outcome["status"]["healthy"]
    assert kept(lab, number)
    assert f"later-{number}" not in lab.kubectl("get", "configmaps", "-o", "name")


def killed_at(lab, words, line):
    """`haplane` with these words, killed as soon as it says that line."""
    command = [sys.executable, "-m", "haplane", *words]
    with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as one:
        said = []
        for told in one.stderr:
            said.append(told)
            if line in told:
                one.kill()
                return
    raise AssertionError(f"it never said {line!r}:\n{''.join(said)}")


@pytest.mark.soak
def test_a_host_that_loses_its_power_on_the_way_is_completed_when_it_is_back(lab, tmp_path):
    lab.kubectl("create", "configmap", "story-power")
    file, _ = bare_snapshot(lab, tmp_path)
    words = [word for word in arguments(lab, file, "--accept-loss") if word != "--json"]
    killed_at(lab, words, "restore: Switch to the new data")
    lifecycle.kill(lab.inventory, ["m3"])
    assert "m3 cannot be reached" in lab.haplane(*arguments(lab, file, "--accept-loss"), codes=(3,))
    lifecycle.start(lab.inventory, ["m3"])
    outcome = json.loads(lab.haplane(*arguments(lab, file, "--accept-loss")))
    assert outcome["status"]["healthy"]
    assert "story-power" in lab.kubectl("get", "configmaps", "-o", "name")


@pytest.mark.soak
def test_a_host_that_is_gone_is_left_out_on_an_explicit_word(lab, tmp_path):
    """It comes back with the data of before: nobody but `node repair` lets it in again."""
    lab.kubectl("create", "configmap", "story-without")
    file, _ = bare_snapshot(lab, tmp_path)
    words = [word for word in arguments(lab, file, "--accept-loss") if word != "--json"]
    killed_at(lab, words, "restore: Switch to the new data")
    lifecycle.kill(lab.inventory, ["m3"])
    outcome = json.loads(lab.haplane(*arguments(lab, file, "--accept-loss", "--without", "m3"), codes=(6,)))
    assert outcome["skipped"] == ["m3"]
    assert outcome["status"]["etcd"]["quorum"]["healthy"] == 2
    assert "story-without" in lab.kubectl("get", "configmaps", "-o", "name", master="m1")
    lifecycle.start(lab.inventory, ["m3"])
    repaired = json.loads(lab.haplane("node", "repair", lab.path, "m3", "--yes", "--json"))
    assert repaired["status"]["healthy"], repaired["status"]["problems"]
    assert "story-without" in lab.kubectl("get", "configmaps", "-o", "name", master="m3")


@pytest.mark.soak
def test_everything_lost_but_a_snapshot_and_the_keys(lab, tmp_path):
    """Every machine is remade empty; old credentials and tokens work afterwards."""
    uid = lab.status()["cluster"]["uid"]
    client = Client(administrator(lab.inventory, over_ssh(silent)))
    token = lab.kubectl("create", "token", "default", "--duration=24h")
    lab.kubectl("create", "configmap", "story-lost")
    file, _ = bare_snapshot(lab, tmp_path)
    master = lab.inventory.masters[0]
    for path, content in read_files(master, IDENTITY_PATHS).items():
        copy = tmp_path / "kubernetes" / path.removeprefix("/etc/kubernetes/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    lab.haplane("lab", "down", lab.path)
    lab.haplane("lab", "up", lab.path)
    lab.haplane("up", lab.path, "--dry-run")
    outcome = json.loads(lab.haplane(*arguments(lab, file, "--pki", str(tmp_path / "kubernetes"))))
    assert outcome["uid"] == uid
    assert outcome["status"]["healthy"]
    assert client.request("GET", "/api/v1/namespaces/default/configmaps/story-lost").ok
    who = lab.host("m1").run(
        "kubectl --server=https://127.0.0.1:6443 --insecure-skip-tls-verify --token=%s auth whoami", token
    )
    assert "system:serviceaccount:default:default" in who.stdout, who.stderr
    lab.verify()
