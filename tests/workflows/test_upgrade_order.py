"""What an upgrade does before it takes an API server or a kubelet out of service, and what keeps it from that."""

import json

import pytest
import samples
from upgrading import UpgradedCluster, write_bundle

from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.errors import Refused, UnfitHosts
from haplane.observation import decide, upgrade_checks
from haplane.workflows.upgrade import upgrade


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Runs 1.35.4, and is to run 1.36.3."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for version in ("1.35.4", "1.36.3"):
        write_bundle(tmp_path / "haplane" / "bundles" / f"{version}-amd64", version)
    return UpgradedCluster(samples.inventory(workers=1, proxy_mode="nftables", kubernetes_version="1.36.3"))


def run(cluster, *, without_snapshot=True):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster}
    return upgrade(cluster.inventory, without_snapshot=without_snapshot, **given)


def test_each_api_server_is_drained_before_and_the_right_to_use_kubelets_is_bound_before_all(cluster):
    """kubeadm 1.36 issues API servers' certificate for kubelets without the group of its right to use them."""
    run(cluster)
    names = cluster.recipes
    assert names.index("bind_kubelet_admin") < names.index("restart_control_plane")
    address = {host.name: str(host.address) for host in cluster.inventory.masters}
    for ends in ("restart_control_plane", "take_out_control_plane"):
        at = [index for index, name in enumerate(names) if name == ends]
        assert len(at) == 3
        for index in at:
            [name] = cluster.deployed[index][1]
            before = [
                one for one in cluster.deployed[:index] if one[0] in ("drain_server", "wait_for_connection_drain")
            ]
            assert before[-2][2] == {"server": f"apiservers/{name}"}
            assert before[-1][2]["address"] == address[name]


def test_what_is_due_is_renewed_in_the_same_restart(cluster):
    path, report = host_paths.APISERVER_KUBELET_CLIENT_CRT, cluster.now_reported["m2"]
    lost = report["files"].pop(path)
    restart = cluster._restart_control_plane

    def renewing(name, arguments):
        restart(name, arguments)
        if arguments["renew"]:
            report["files"][path] = lost

    cluster._restart_control_plane = renewing
    run(cluster)
    restarts = [(hosts, given["renew"]) for name, hosts, given in cluster.deployed if name == "restart_control_plane"]
    assert restarts == [(["m1"], ()), (["m2"], ("apiserver-kubelet-client",)), (["m3"], ())]


def test_no_kubelet_is_upgraded_while_another_node_is_away(cluster):
    honest = cluster._joined

    def joined():
        begun = ("node", "m1", "1.36.3") in cluster.history
        return [node | {"ready": not begun or node["name"] != "w1"} for node in honest()]

    cluster._joined = joined
    with pytest.raises(Refused, match="m2 is not upgraded while another node is away") as refused:
        run(cluster)
    assert refused.value.why == "w1 not Ready"
    assert cluster.history[-1] == ("node", "m1", "1.36.3")


def test_no_kubelet_of_a_master_is_upgraded_while_no_other_api_server_is_ready(cluster):
    def wait(*_):
        for name in ("m1", "m3"):
            cluster.now_reported[name]["apiserver"] = {"ready": False}

    cluster._wait_for_node = wait
    with pytest.raises(Refused, match="m2 must not be taken out of service now"):
        run(cluster)
    assert cluster.history[-1] == ("node", "m1", "1.36.3")


def test_a_removed_api_and_a_missing_snapshot_are_refused_before_the_first_change(cluster):
    """With every other check in one report; that each is made at all is tested here."""
    labels = {"group": "x.io", "version": "v1beta1", "resource": "things", "removed_release": "1.36"}
    honest = cluster.run
    cluster.run = lambda host, *command, **how: (
        json.dumps([labels]).encode() if "deprecated_apis" in " ".join(command) else honest(host, *command, **how)
    )
    with pytest.raises(UnfitHosts) as refused:
        run(cluster, without_snapshot=False)
    assert [one.what for one in refused.value.problems] == [
        "no snapshot can be taken first: the inventory configures none",
        "x.io/v1beta1 things is still used, and is removed in 1.36",
    ]
    assert cluster.count == 0
