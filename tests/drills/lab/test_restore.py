"""The cluster from a snapshot: in place, after everything was lost, interrupted anywhere. Writers are at the endpoint."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from haplane.drills.client import Client
from haplane.drills.credentials import administrator
from haplane.drills.probes import endpoint_prober
from haplane.drills.writes import lost_writes, make_namespace
from haplane.remote.openssh import read_file
from haplane.waiting import wait_until
from haplane.workflows.restore import PHASES

pytestmark = pytest.mark.lab

ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
BARE = ("--unsigned", "--yes", "--json")


class Writers:
    """Twenty writes a second at the endpoint, each with its number, and which of them were acknowledged when."""

    def __init__(self, stage, namespace):
        self.client, self.namespace = Client(administrator(stage.inventory)), namespace
        make_namespace(self.client, namespace)
        self.recording = endpoint_prober(self.client.target, namespace)

    def acknowledged(self, before=float("inf")):
        writes = [one for one in self.recording.requests() if one.kind == "write" and one.ok]
        return [one.number for one in writes if one.done < before]

    def lost(self, numbers):
        return lost_writes(self.client, self.namespace, numbers)


@contextmanager
def writers(stage, namespace):
    made = Writers(stage, namespace)
    with made.recording:
        wait_until(lambda: len(made.acknowledged()) > 20, 30, "writes are acknowledged")
        yield made


def bare_snapshot(stage, directory, master="m2"):
    """What `etcdctl snapshot save` gives on a member, brought here; the moment at which it was begun."""
    begun = time.monotonic()
    done = stage.run(master, f"{ETCDCTL} snapshot save /root/bare.db >&2")
    assert done.returncode == 0, done.stderr
    file = directory / "bare.db"
    file.write_bytes(read_file(stage.inventory.host(master), "/root/bare.db"))
    stage.run(master, "rm -f /root/bare.db")
    return file, begun


def restore(stage, *words, codes=(0,)):
    name = stage.inventory.cluster.name
    return json.loads(stage.haplane("restore", stage.path, *words, *BARE, "--confirm", name, codes=codes))


def tell(outcome, lost, since):
    """The numbers of a restore, on the console of the test run."""
    print(
        f"outage {outcome['outage_seconds']} s; revision {outcome['revision_before']} -> {outcome['revision']}; "
        f"writes lost: {lost} of those before the snapshot, {since} of those after it"
    )


def watch(client, version, seconds=3):
    """The first events of a watch on ConfigMaps from that version on."""
    path = f"/api/v1/configmaps?watch=1&resourceVersion={version}&timeoutSeconds={seconds}"
    return client.request("GET", path, seconds=seconds + 10)


def test_in_place(stage, tmp_path):
    uid = stage.status()["cluster"]["uid"]
    with writers(stage, "restore-in-place") as writing:
        file, begun = bare_snapshot(stage, tmp_path)
        version = writing.client.request("GET", "/api/v1/configmaps?limit=1").document()["metadata"][
            "resourceVersion"
        ]
        time.sleep(2)
        refused = stage.haplane(
            "restore", stage.path, "--file", str(file), *BARE, "--confirm", stage.inventory.cluster.name, codes=(4,)
        )
        assert "need not be lost" in refused
        outcome = restore(stage, "--file", str(file), "--accept-loss")
        known = writing.acknowledged()
        wait_until(lambda: len(writing.acknowledged()) > len(known) + 20, 60, "writes are acknowledged again")
    before = writing.acknowledged(before=begun)
    assert writing.lost(before) == ()
    since = [number for number in writing.acknowledged(before=begun + 2) if number not in before]
    tell(outcome, 0, len(writing.lost(since)))
    assert outcome["uid"] == uid
    assert outcome["revision"] > outcome["revision_before"]
    told = watch(writing.client, version)
    assert told.status == 410 or b'"code":410' in told.body
    assert outcome["status"]["healthy"], outcome["status"]["problems"]
    stage.verify()
