"""One master in a stock virtual machine, as a user would have it: nothing tuned, no preflight check ignored.

HAPLANE_VM_DEBIAN is 13 unless it is given. Emulated, a whole run takes half an hour and wants this machine alone.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from drills.lab.a_lab import ADMIN, ROOT, Lab

from haplane.bundle.installed import built_versions
from haplane.config.load import load_inventory
from haplane.domain.progress import silent
from haplane.domain.versions import parse
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.probing.timeline import service
from haplane.drills.probing.writes import lost_writes, make_namespace
from haplane.lab import lifecycle
from haplane.lab.paths import host_directory, lab_directory
from haplane.lab.qemu.machine import ahead
from haplane.supported import DEFAULT_VERSION
from haplane.waiting import wait_until
from haplane.workflows.prepare import over_ssh

INVENTORY = "inventories/lab_vm1.py"
DEBIAN = os.environ.get("HAPLANE_VM_DEBIAN", "13")
pytestmark = [pytest.mark.lab, pytest.mark.soak(f"with Debian {DEBIAN}")]

MASTER = "vm1"
AGAIN_SECONDS = 900  # an emulated machine that boots and has a control plane
PER_SECOND, REQUEST_SECONDS = 2, 10
DAYS_LATER = 403
KEPT = "written-before"


class VirtualMachine(Lab):
    """Its clock may be ahead: haplane then runs at the same time, as it would on that day."""

    days_later = 0

    def __init__(self, path, identity):
        super().__init__(path)
        self.identity = identity

    def command(self, *words):
        command = [sys.executable, "-m", "haplane", *map(str, words)]
        environment = dict(os.environ)
        if self.days_later and words[0] != "lab":
            command = ["faketime", "-f", f"+{self.days_later}d", *command]
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
        print(f"\n{time.monotonic() - began:.0f} s, exit {done.returncode}: haplane {' '.join(map(str, words))}")
        return done

    def json(self, verb, *words, codes=(0,)):
        return json.loads(self.haplane(*verb.split(), self.path, *words, "--json", codes=codes))

    def kept(self):
        """What a ConfigMap holds, its UID and the cluster's."""
        found = json.loads(self.kubectl("get", "configmap", KEPT, "--output=json"))
        uid = self.kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")
        return found["data"], found["metadata"]["uid"], uid


@pytest.fixture(scope="module")
def vm():
    """The machine, made or found, and left up: what belongs to it is beside its disk and goes away with it."""
    directory = lab_directory(load_inventory(ROOT / INVENTORY).cluster.name)
    os.environ["XDG_STATE_HOME"] = str(directory / "state")
    path, identity = directory / "lab_vm1.py", directory / "identity"
    if not (path.exists() and f"= {DEBIAN}\n" in path.read_text()):
        Lab(INVENTORY).haplane("lab", "down", INVENTORY)
        directory.mkdir(parents=True)
        recipient = json.loads(Lab(INVENTORY).haplane("keys", "new", identity, "--json"))["recipient"]
        Lab(INVENTORY).haplane("keys", "check", identity)
        write(path, recipients=[recipient])
    made = VirtualMachine(str(path), identity)
    made.haplane("lab", "up", made.path)
    made.days_later = ahead(host_directory(made.inventory.cluster.name, MASTER)).days
    signing_key = made.json("up", "--yes")["signing_key"]
    if signing_key is not None:
        write(path, recipients=list(made.inventory.cluster.snapshots.recipients), signing_key=signing_key)
    if made.run(MASTER, f"kubectl {ADMIN} get configmap {KEPT}").returncode != 0:
        made.kubectl("create", "configmap", KEPT, "--from-literal=answer=42")
    yield made
    del os.environ["XDG_STATE_HOME"]


def write(path, **snapshots):
    own = [f'cluster["snapshots"] = {snapshots!r}', f'cluster["lab"]["debian"] = {DEBIAN}', ""]
    path.write_text("\n".join([(ROOT / INVENTORY).read_text(), *own]))


def newest_bundle():
    """The newest version with a bundle that is newer than the default one, or None."""
    found = [parse(one) for one in built_versions("amd64") if parse(one) > parse(DEFAULT_VERSION)]
    return str(max(found)) if found else None


@pytest.fixture
def before(vm):
    return vm.kept()


def test_it_is_a_stock_machine_and_every_check_passes_pods_included(vm):
    release = vm.host(MASTER).file("/etc/os-release").content_string
    assert f'VERSION_ID="{DEBIAN}"' in release
    assert vm.host(MASTER).check_output("stat -f -c %T /sys/fs/cgroup") == "cgroup2fs"
    assert "cgroupDriver: systemd" in vm.host(MASTER).file("/var/lib/kubelet/config.yaml").content_string
    vm.wait_until_healthy(AGAIN_SECONDS)
    checks = vm.json("verify", "--with-pods")["checks"]
    print(f"{len(checks)} checks")
    assert [check for check in checks if check["outcome"] == "failed"] == []
    assert vm.json("up", "--yes")["plan"] == []


def test_a_snapshot_is_taken_and_verified(vm):
    vm.haplane("snapshot", "take", vm.path)
    newest = vm.json("snapshot list")["snapshots"][0]
    assert newest["verified"]


def test_no_acknowledged_write_is_lost_when_the_power_fails(vm):
    """The guest's page cache is lost; what etcd acknowledged is on its disk."""
    client = Client(administrator(vm.inventory, over_ssh(silent)))
    make_namespace(client, "power-cut")
    with endpoint_prober(client.target, "power-cut", PER_SECOND, REQUEST_SECONDS) as recording:

        def acknowledged():
            return [one.number for one in recording.lines() if one.kind == "write" and one.ok]

        wait_until(lambda: len(acknowledged()) >= 50, 120, "50 writes are acknowledged")
        lifecycle.kill(vm.inventory, [MASTER])
        numbers = acknowledged()
    lifecycle.start(vm.inventory, [MASTER])
    vm.wait_until_healthy(AGAIN_SECONDS)
    lost = lost_writes(client, "power-cut", numbers)
    print(f"acknowledged writes lost: {len(lost)} of {len(numbers)}")
    assert lost == ()


def test_a_reboot_from_within(vm, before):
    boot = vm.host(MASTER).check_output("cat /proc/sys/kernel/random/boot_id")
    vm.run(MASTER, "systemctl reboot")

    def another_boot():
        found = vm.run(MASTER, "cat /proc/sys/kernel/random/boot_id")
        return found.returncode == 0 and found.stdout.strip() != boot

    wait_until(another_boot, AGAIN_SECONDS, "it has booted again", every=2.0)
    vm.wait_until_healthy(AGAIN_SECONDS)
    assert vm.kept() == before


@pytest.mark.skipif(newest_bundle() is None, reason="needs the bundle of a newer version")
def test_one_hop_of_its_only_master_is_an_announced_outage(vm, before):
    """Its seconds are printed; everything is there afterwards, and nothing is left to do."""
    with Path(vm.path).open("a") as file:
        file.write(f'cluster["kubernetes_version"] = "{newest_bundle()}"\n')
    planned = vm.json("upgrade", "--dry-run")["plan"]
    assert [line for line in planned if line.startswith("OUTAGE")], planned
    client = Client(administrator(vm.inventory, over_ssh(silent)))
    with endpoint_prober(client.target, "default", PER_SECOND, REQUEST_SECONDS) as recording:
        vm.haplane("upgrade", vm.path, "--yes")
        requests = recording.lines()
    for kind in ("read", "write"):
        seen = service(requests, kind)
        failed = f"{seen.failed} of {seen.requests} {kind}s failed"
        print(f"{failed}; {seen.gaps} times out of service, for {seen.gap_seconds:.0f} s at most")
        assert seen.recovered
    vm.wait_until_healthy(AGAIN_SECONDS)
    assert vm.kept() == before
    assert vm.json("up", "--yes")["plan"] == []


def test_woken_after_every_certificate_has_expired_one_up_recovers_it(vm, before):
    lifecycle.kill(vm.inventory, [MASTER])
    vm.haplane("lab", "start", vm.path, "--days-later", DAYS_LATER)
    vm.days_later = DAYS_LATER
    found = vm.status()
    listed = vm.json("certs status")["certificates"]
    expired = [one for one in listed if one["days_left"] <= 0]
    print(f"{len(expired)} of {len(listed)} certificates expired")
    assert len(expired) >= 11
    said = "\n".join(found["problems"])
    assert f"certificates have expired on {MASTER}" in said, said
    assert f"fix: `haplane up {vm.path}`" in said, said
    vm.haplane("up", vm.path, "--yes")
    assert [node["ready"] for node in vm.wait_until_healthy(AGAIN_SECONDS)["masters"]] == [True]
    assert vm.kept() == before
    assert vm.json("up", "--yes")["plan"] == []


def test_restored_from_a_snapshot_after_etcds_data_were_lost(vm, before):
    vm.haplane("snapshot", "take", vm.path)
    lifecycle.kill(vm.inventory, [MASTER])
    lifecycle.wipe(vm.inventory, [MASTER], "etcd")
    lifecycle.start(vm.inventory, [MASTER])
    restored = vm.json("restore", "--identity", str(vm.identity), "--yes")
    assert restored["uid"] == before[2]
    vm.wait_until_healthy(AGAIN_SECONDS)
    assert vm.kept() == before
