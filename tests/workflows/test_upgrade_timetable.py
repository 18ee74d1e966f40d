"""The plan of an upgrade reads like a timetable. Write it anew with `HAPLANE_GOLDEN=write pytest tests/workflows`."""

import os
from pathlib import Path

import pytest
import samples
from upgrading import UpgradedCluster, write_bundle

from haplane.domain.plan import Kind
from haplane.domain.progress import silent
from haplane.domain.timetable import took
from haplane.observation import decide, upgrade_checks
from haplane.workflows.upgrade import upgrade

GOLDEN = Path(__file__).parent / "golden"
BEFORE = {
    Kind.STAGE: [38],
    Kind.UPGRADE_ETCD: [14, 12, 90],
    Kind.UPGRADE_CONTROL_PLANE: [21, 22, 23, 24],
    Kind.UPGRADE_NODE: [30, 31, 32, 8],
}


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for version in ("1.36.3", "1.37.2"):
        write_bundle(tmp_path / "haplane" / "bundles" / f"{version}-amd64", version)
    return samples.inventory(workers=1, proxy_mode="nftables", kubernetes_version="1.37.2")


def run(cluster, **asked):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster, **asked}
    return upgrade(cluster.inventory, without_snapshot=True, **given)


@pytest.mark.parametrize(("name", "before"), [("upgrade-first", {}), ("upgrade-timed", BEFORE)])
def test_each_step_says_what_is_out_of_service_who_notices_and_how_long_it_took_before(inventory, name, before):
    shown = "\n".join(run(UpgradedCluster(inventory, version="1.36.3"), dry_run=True, took=before).plan) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("HAPLANE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown)
    assert shown == path.read_text()


def test_a_run_notes_how_long_each_step_took(inventory):
    cluster = UpgradedCluster(inventory)
    run(cluster)
    noted = took(f"2026-12-01 00:00:00.000Z  {subject}: {message}" for subject, message in cluster.said)
    counted = {kind: len(seconds) for kind, seconds in noted.items()}
    both = {Kind.STAGE: 2, Kind.UPGRADE_CONTROL_PLANE: 6, Kind.UPGRADE_NODE: 8}
    assert counted == {**both, Kind.UPGRADE_ETCD: 3}
