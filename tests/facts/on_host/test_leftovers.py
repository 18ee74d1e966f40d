"""What earlier runs have left on a host."""

import json
import os

import pytest
import samples
from observing import observe

from haplane.desired.files import kubeadm_configuration
from haplane.desired.hosts import lasting_settings
from haplane.facts.on_host import leftovers


@pytest.mark.parametrize("dns_domain", ["cluster.local", "null"])
def test_what_a_cluster_keeps_is_read_from_the_configuration_it_was_made_with(tmp_path, dns_domain):
    inventory = samples.inventory(apiserver_port=7443, dns_domain=dns_domain)
    config = tmp_path / "kubeadm.yaml"
    assert observe(kubeadm_config=str(config)).settings == {}
    config.write_text(kubeadm_configuration(inventory, inventory.masters[0]))
    master = inventory.masters[0]
    mine = {"name": master.name, "address": str(master.address), "verifies_kubelets": "yes", "cluster": "test"}
    assert observe(kubeadm_config=str(config)).settings == lasting_settings(inventory) | mine


@pytest.mark.parametrize("image", ["registry.k8s.io/kube-apiserver:v1.35.4", "mirror:5000/k/kube-apiserver:v1.35.4"])
def test_the_version_of_the_api_server_is_that_of_the_image_in_its_manifest(tmp_path, image):
    manifest = tmp_path / "kube-apiserver.yaml"
    manifest.write_text(f"spec:\n  containers:\n  - command:\n    - kube-apiserver\n    image: {image}\n")
    moved = {"/etc/kubernetes/haplane/kube-apiserver.yaml": manifest}
    found = observe(kubeadm_config=str(tmp_path / "none"), moved=moved).settings
    assert found == {"apiserver_version": "1.35.4"}


def test_a_tag_that_is_no_version_is_none(tmp_path):
    """Somebody's edit of the manifest, which `up` undoes, was taken for another version to upgrade from."""
    manifest = tmp_path / "kube-apiserver.yaml"
    manifest.write_text("    image: registry.invalid/kube-apiserver:v9\n")
    moved = {"/etc/kubernetes/haplane/kube-apiserver.yaml": manifest}
    assert observe(kubeadm_config=str(tmp_path / "none"), moved=moved).settings == {}


def test_what_an_upgrade_staged_is_told(tmp_path):
    (tmp_path / "1.36.3" / "usr").mkdir(parents=True)
    (tmp_path / "before-1.36.3").mkdir()
    found = observe(moved={"/var/lib/haplane/versions": tmp_path}).leftovers
    assert found.staged == ("1.36.3", "before-1.36.3")


def test_a_link_that_etcd_has_put_beside_its_data_is_no_old_data_and_not_measured(tmp_path):
    (tmp_path / "etcd" / "aside-20260701T110000Z").mkdir(parents=True)
    (tmp_path / "etcd" / "aside-20260701T120000Z").symlink_to("/usr")
    found = observe(moved={"/var/lib/etcd": tmp_path / "etcd"}).leftovers.previous_data
    assert [one.path[-16:] for one in found] == ["20260701T110000Z"]


def test_what_the_snapshot_agent_left_is_told_and_damage_hides_nothing_else(tmp_path):
    kept, half = tmp_path / "kept", tmp_path / "kept" / "20260701T120000Z-m2-r8"
    for name in ("20260701T110000Z-m2-r7", half.name):
        (kept / name).mkdir(parents=True)
    (kept / "20260701T110000Z-m2-r7" / "manifest.sig").write_bytes(b"signature")
    (tmp_path / "agent").symlink_to("agent-1234")
    state = {"last_good": None, "last_error": {"at": None, "message": "the bucket is gone"}, "skipped": 2}
    (tmp_path / "state").write_text(json.dumps(state))
    (tmp_path / "sealed").write_text('{"fingerprint": ')
    moved = {
        "/opt/haplane/agent": tmp_path / "agent",
        "/var/lib/haplane/snapshot-state.json": tmp_path / "state",
        "/etc/haplane/sealed-keys.json": tmp_path / "sealed",
    }
    told = observe(moved=moved, snapshot_directory=str(kept))
    assert "snapshots" not in told.failed
    assert (told.snapshots.agent, told.snapshots.local, told.snapshots.sealed) == ("agent-1234", 1, None)
    assert (told.snapshots.state.last_error.message, told.snapshots.state.skipped) == ("the bucket is gone", 2)
    assert observe(snapshot_directory=str(tmp_path / "missing")).snapshots.local == 0


@pytest.mark.parametrize(
    ("shown", "unmounted"),
    [
        ("LoadState=loaded\nActiveState=inactive", True),
        ("LoadState=loaded\nActiveState=failed", True),
        ("LoadState=loaded\nActiveState=active", False),
        ("LoadState=not-found\nActiveState=inactive", False),
    ],
)
def test_a_disk_that_belongs_under_etcd_and_is_not_mounted_is_reported(tmp_path, shown, unmounted):
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\nprintf '{shown}\\n'\n")
    (tmp_path / "systemctl").chmod(0o755)
    assert observe(commands=tmp_path).leftovers.etcd_unmounted is unmounted


def test_what_the_user_etcd_makes_beside_its_data_keeps_no_report_from_being_read(tmp_path, monkeypatch):
    """A name that is no text, or a million of them: nothing of the host was known."""
    old = tmp_path / "aside-20260701T110000Z"
    (old / "member" / "wal").mkdir(parents=True)
    (old / "member" / "wal" / "f").write_bytes(b"x" * 5000)
    (old / "root").symlink_to("/usr")
    (tmp_path / os.fsdecode(b"aside-\xff")).mkdir()
    (tmp_path / "aside-20260701T110000Z (a)").mkdir()
    monkeypatch.setattr(leftovers, "ETCD_DATA", str(tmp_path))
    (found,) = leftovers.previous_data()
    assert found["path"] == str(old)
    assert 5000 <= found["size"] < 20_000
