"""An upgrade that fails in a step, and again on its way back or in the next run, on hosts in memory."""

import pytest
import samples
from upgrading import UpgradedCluster, write_bundle

from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.observation import decide, upgrade_checks
from haplane.workflows.upgrade import upgrade

NEWEST = {"apiservers": {"1.36.3"}, "etcd": {"3.6.16"}, "kubelets": {"1.36.3"}}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Runs 1.35.4, and is to run 1.36.3."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for version in ("1.35.4", "1.36.3"):
        write_bundle(tmp_path / "haplane" / "bundles" / f"{version}-amd64", version)
    return UpgradedCluster(samples.inventory(workers=1, proxy_mode="nftables", kubernetes_version="1.36.3"))


def run(cluster):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster}
    return upgrade(cluster.inventory, without_snapshot=True, **given)


def fail(*_):
    raise HaplaneError("planted", why="planted")


def test_a_kubelet_that_gets_its_old_version_back_ends_no_api_server_that_serves(cluster):
    """It ends the static pods that the new one has started. The cluster in memory asserts that none is ready then."""
    cluster._wait_for_node = fail
    with pytest.raises(HaplaneError, match="m1 did not become ready as 1.36.3: it runs its old version again"):
        run(cluster)
    assert [one for one in cluster.history if one[:2] == ("node", "m1")][-1][2] == "1.35.4"
    assert cluster.now_reported["m1"]["apiserver"]["ready"]
    assert cluster.away == set()
    del cluster._wait_for_node
    run(cluster)
    assert cluster.versions == NEWEST


def test_a_kubelet_that_ends_no_pod_gets_its_old_version_back_all_the_same(cluster):
    """The new one may be why: its API server cannot be taken out of service by it."""
    cluster._wait_for_node = fail
    take_out = cluster._take_out_control_plane

    def once(name, arguments):
        take_out(name, arguments)
        cluster._take_out_control_plane = lambda *_: (cluster.take("m1"), fail())

    cluster._take_out_control_plane = once
    cluster._restart_node = lambda name, _: cluster._run_kubelet(name)
    with pytest.raises(HaplaneError, match="m1 did not become ready as 1.36.3: it runs its old version again"):
        run(cluster)
    assert cluster.kubelets["m1"] == "1.35.4"
    assert cluster.away == set()


def test_the_next_run_begins_with_a_master_that_has_no_way_back(cluster):
    """Its old programs are gone: it went on with the others, and to a kubelet whose API server did not respond."""
    cluster.broken, cluster._switch_back = {("m2", "1.36.3")}, lambda *_: None
    for _ in range(2):
        with pytest.raises(HaplaneError, match="m2 became ready neither as 1.36.3 nor in its old version"):
            run(cluster)
        cluster.away.clear()
    assert [name for kind, name, _ in cluster.history] == ["m1", "m2", "m2", "m2", "m2"]
    cluster.broken.clear()
    run(cluster)
    assert cluster.versions == NEWEST
