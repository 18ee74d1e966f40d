"""`haplane upgrade` from its first look to its last, on hosts in memory."""

import json
import shutil
import threading

import pytest
import samples
from fake_cluster import Killed
from upgrading import ETCD, UpgradedCluster, manifest_of, with_version, write_bundle

from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.errors import HaplaneError, Problems, Refused, UnfitHosts
from haplane.observation import decide, upgrade_checks
from haplane.workflows.status import status
from haplane.workflows.up import up
from haplane.workflows.upgrade import upgrade

NEWEST = {"apiservers": {"1.37.2"}, "etcd": {"3.7.3"}, "kubelets": {"1.37.2"}}


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    """Wants 1.37.2, with all bundles on the way."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for version in ("1.35.4", "1.36.3", "1.37.2"):
        write_bundle(tmp_path / "haplane" / "bundles" / f"{version}-amd64", version)
    return samples.inventory(workers=1, proxy_mode="nftables", kubernetes_version="1.37.2")


def run(cluster, **asked):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster, **asked}
    return upgrade(cluster.inventory, without_snapshot=True, **given)


def test_two_minor_versions_are_gone_through_one_after_the_other(inventory):
    cluster = UpgradedCluster(inventory)
    done = run(cluster)
    assert done.hops == ("1.36.3", "1.37.2")
    assert cluster.versions == NEWEST
    order = [kind for kind, *_ in cluster.history]
    hop = ["control plane"] * 3 + ["cluster"] + ["node"] * 4
    assert order == [*hop, "etcd", "etcd", "etcd", *hop]
    assert [name for kind, name, _ in cluster.history if kind == "etcd"] == ["m2", "m3", "m1"], "the leader is last"
    assert run(cluster).changed is False
    assert up(inventory, confirm=pytest.fail, dry_run=False, progress=silent, executor=cluster).changed is False


def test_killed_after_any_step_the_same_command_completes_it(inventory):
    """The first run at its first step, the second at its second, and so on until one is not killed any more."""
    cluster = UpgradedCluster(inventory)
    for step in range(1, 60):
        cluster.count, cluster.fails = 0, {step: Killed()}
        try:
            run(cluster)
        except Killed:
            cluster.away.clear()
            continue
        break
    assert cluster.versions == NEWEST
    assert step > 10
    assert not run(cluster).changed


def test_a_master_that_does_not_become_ready_runs_its_old_version_again(inventory):
    """And the run ends there, with the reason; when the reason is gone the same command goes on."""
    cluster = UpgradedCluster(inventory, broken={("m2", "1.36.3")})
    with pytest.raises(
        HaplaneError, match="m2 did not become ready as 1.36.3: it runs its old version again"
    ) as error:
        run(cluster)
    assert "it exits" in error.value.why
    assert cluster.history[-2:] == [("control plane", "m2", "1.36.3"), ("control plane", "m2", "1.35.4")]
    assert all(report["apiserver"]["ready"] for name, report in cluster.now_reported.items() if name.startswith("m"))
    assert cluster.away == set()
    cluster.broken.clear()
    run(cluster)
    assert cluster.versions == NEWEST


def test_a_member_that_does_not_serve_runs_its_old_version_again(inventory):
    cluster = UpgradedCluster(inventory)
    newest = ETCD["1.37.2"]
    run_to = UpgradedCluster(inventory)
    run(run_to)
    first = next(name for kind, name, version in run_to.history if kind == "etcd" and version == newest)
    cluster.broken_members = {(first, newest)}
    with pytest.raises(HaplaneError, match=f"{first} did not become ready as .*: it runs its old version again"):
        run(cluster)
    tried = [one for one in cluster.history if one[:2] == ("etcd", first)]
    assert tried[-2][2] == newest
    assert tried[-1][2] != newest
    assert cluster.away == set()
    cluster.broken_members.clear()
    run(cluster)
    assert cluster.versions == NEWEST


def late_on(cluster, name):
    """That master's API server is not ready in time once the etcd beside it is new."""

    def wait(host, arguments):
        if host == name and cluster.now_reported[host]["etcd"]["status"]["version"] == ETCD["1.37.2"]:
            raise HaplaneError("Wait until the API server is ready: failed", why="late")

    cluster._wait_for_apiserver = wait


@pytest.mark.parametrize("masters", [3, 1])
def test_the_last_member_keeps_its_new_etcd_where_an_older_one_would_not_start(inventory, masters):
    """It got the old one back because its API server was slow, and etcd refuses to start as less than its cluster."""
    given = inventory.model_copy(update={"masters": inventory.masters[:masters], "etcd": inventory.etcd[:masters]})
    cluster = UpgradedCluster(given)
    late_on(cluster, "m1")
    with pytest.raises(HaplaneError, match="m1 did not become ready as 1.37.2: it keeps the new files") as error:
        run(cluster)
    assert error.value.why.endswith(
        "late; no other member runs an older etcd than 3.7.3, so an older one would not start"
    )
    assert error.value.next_step.startswith(f"`haplane status {inventory.path}`")
    assert cluster.now_reported["m1"]["etcd"]["reads_through_quorum"]
    assert cluster.versions["etcd"] == {"3.7.3"}
    del cluster._wait_for_apiserver
    run(cluster)
    assert cluster.versions == NEWEST


def test_a_member_gets_its_old_etcd_back_while_another_runs_it(inventory):
    cluster = UpgradedCluster(inventory)
    late_on(cluster, "m3")
    with pytest.raises(HaplaneError, match="m3 did not become ready as 1.37.2: it runs its old version again"):
        run(cluster)
    assert [one for one in cluster.history if one[:2] == ("etcd", "m3")][-1][2] == "3.6.16"
    assert cluster.now_reported["m3"]["etcd"]["reads_through_quorum"]


@pytest.mark.parametrize(
    ("alarm", "named"),
    [
        ("memberID:2 alarm:NOSPACE ", "etcd is out of space (alarm NOSPACE)"),
        ("memberID:2 alarm:CORRUPT ", "m2: etcd has found its member's data damaged (alarm CORRUPT)"),
        ("alarm:CORRUPT ", "etcd members' data differ"),
    ],
)
def test_no_upgrade_begins_while_etcd_refuses_writes(inventory, alarm, named):
    """Its members read through quorum all the same, and the first write of the upgrade failed on a drained master."""
    cluster = UpgradedCluster(inventory)
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["etcd"]["status"]["errors"] = [alarm]
    with pytest.raises(UnfitHosts) as refused:
        run(cluster)
    [problem] = refused.value.problems
    assert problem.what.startswith(named)
    assert problem.next_step.endswith('` with cluster["kubernetes_version"] = "1.35.4" in it')
    assert cluster.count == 0


def test_an_alarm_between_two_versions_is_ended_by_up_as_well(inventory):
    """It refused a cluster of two versions."""
    cluster = UpgradedCluster(inventory, broken={("m3", "1.36.3")})
    with pytest.raises(HaplaneError, match="m3 did not become ready"):
        run(cluster)
    cluster.broken.clear()
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["etcd"]["status"]["errors"] = ["memberID:2 alarm:NOSPACE "]
    with pytest.raises(UnfitHosts) as refused:
        run(cluster)
    [problem] = refused.value.problems
    repair = '`haplane up INVENTORY` with cluster["kubernetes_version"] = "1.36.3" in it'
    assert problem.next_step == f"{repair}, then `haplane upgrade INVENTORY`"


def test_without_the_bundle_in_between_nothing_is_changed(inventory, tmp_path):
    (tmp_path / "haplane" / "bundles" / "1.36.3-amd64" / "manifest.json").unlink()
    cluster = UpgradedCluster(inventory)
    with pytest.raises(Problems) as error:
        run(cluster)
    assert str(error.value).endswith("`haplane bundle build --source modules --kubernetes-version 1.36.3`"), (
        "one that can be built"
    )
    assert cluster.count == 0


GONE = {
    "kind": "validatingwebhookconfiguration", "name": "guard", "webhook": "g.x", "why": "gone",
    "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}],
}  # fmt: skip
REFUSED_BY_GONE = "validatingwebhookconfiguration guard refuses every request for pods, the cluster's own among them"
NO_SPACE = "etcd is out of space (alarm NOSPACE)"


def planted(inventory):
    """A cluster with a webhook that is gone, and without space in etcd."""
    cluster = UpgradedCluster(inventory)
    cluster.now_reported["m1"]["workloads"] = samples.workloads(inventory, webhooks=[GONE])
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["etcd"]["status"]["errors"] = ["memberID:2 alarm:NOSPACE "]
    return cluster


def refusals_of(cluster):
    with pytest.raises(UnfitHosts, match="this cluster cannot be upgraded now; nothing was changed") as refused:
        run(cluster)
    assert cluster.count == 0
    assert refused.value.next_step is None
    return [one.what for one in refused.value.problems]


def test_a_missing_bundle_is_one_line_of_all_that_keeps_a_cluster_from_being_upgraded(
    inventory, tmp_path, monkeypatch
):
    """It was reported alone; once it was built, the next run named the webhook."""
    shutil.rmtree(tmp_path / "haplane" / "bundles" / "1.36.3-amd64")
    resized(tmp_path, "1.37.2", kubelet=39 << 30)
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {"kubelet": "      --node-ip string\n"})
    monkeypatch.setattr(upgrade_checks, "refusals", lambda _, asked: dict.fromkeys(asked, "unknown flag"))
    found = refusals_of(planted(inventory))
    assert found[0] == "there is no bundle of Kubernetes 1.36, which is between 1.35.4 and 1.37.2"
    assert {REFUSED_BY_GONE, NO_SPACE, "m1: too little disk to stage the new version"} < set(found)
    assert any(what.startswith("kubelet of 1.37.2 does not accept the flag") for what in found)
    assert not any("too old" in what or "in one step" in what for what in found), "it goes through 1.36 all the same"


def test_a_version_that_it_cannot_become_is_one_line_too_and_nothing_is_told_of_that_version(inventory, tmp_path):
    write_bundle(tmp_path / "haplane" / "bundles" / "1.34.1-amd64", "1.34.1")
    found = refusals_of(planted(with_version(inventory, "1.34.1")))
    assert found == ["this cluster cannot become 1.34.1; nothing was changed", NO_SPACE, REFUSED_BY_GONE]


def test_what_is_unfinished_is_one_line_too(inventory):
    cluster = planted(inventory)
    del cluster.now_reported["w1"]["files"][host_paths.KUBELET_KUBECONFIG]
    cluster.now_reported["w1"]["units"].pop("kubelet")
    found = refusals_of(cluster)
    assert {"w1: join as a worker is due", NO_SPACE, REFUSED_BY_GONE} <= set(found)


@pytest.mark.parametrize("version", ["1.36.3", "1.37.2"])
def test_hosts_are_observed_once_before_the_plan_is_shown(inventory, version):
    """The version of the first hop was found by the first look, and then all hosts were observed again for it."""
    cluster, observed = UpgradedCluster(with_version(inventory, version)), []
    honest = cluster.observe
    cluster.observe = lambda hosts, request: observed.append(request) or honest(hosts, request)
    assert run(cluster, dry_run=True).plan
    assert len(observed) == 1
    staged = {path for path in observed[0]["bundle"] if path.startswith(host_paths.staged("1.36.3", "/"))}
    assert staged == {host_paths.staged("1.36.3", file.path) for file in manifest_of("1.36.3").files}


def test_hosts_and_programs_are_asked_at_the_same_time(inventory, monkeypatch):
    """One after the other they took longer than the 5 s that all checks may take."""
    cluster, together = UpgradedCluster(inventory), threading.Barrier(3, timeout=30)
    honest = cluster.run
    hook = GONE | {"conditional": True}
    cluster.now_reported["m1"]["workloads"] = samples.workloads(inventory, webhooks=[hook])

    def ask(host, *command, **how):
        words = " ".join(command)
        if host.name == "m1" and (command[-1] == "g.x" or "deprecated_apis" in words):
            together.wait()
        return b'{"refused": {}, "complete": true}' if command[-1] == "g.x" else honest(host, *command, **how)

    cluster.run = ask
    once = iter([together.wait])

    def helps(*_):
        next(once, dict)()
        return {}

    monkeypatch.setattr(upgrade_checks, "helps", helps)
    assert run(cluster, dry_run=True).plan
    assert not together.broken


def test_a_later_hop_that_etcd_cannot_make_is_refused_before_the_first(inventory, tmp_path, monkeypatch):
    """It was found between the hops: the cluster was left in a version that nobody had asked for."""
    monkeypatch.setitem(ETCD, "1.36.3", "3.6.10")
    shutil.rmtree(tmp_path / "haplane" / "bundles" / "1.36.3-amd64")
    write_bundle(tmp_path / "haplane" / "bundles" / "1.36.3-amd64", "1.36.3")
    cluster = UpgradedCluster(inventory)
    with pytest.raises(UnfitHosts, match=r"m1 after 1.36.3: etcd 3.6.10 cannot become 3.7.3 in one step"):
        run(cluster)
    assert cluster.count == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"refused": {}, "complete": true}', None),
        (b'{"refused": {"g.x": "failed calling"}, "complete": false}', "guard refuses requests for pods"),
        (b"nonsense", "guard may refuse requests for pods"),
    ],
)
def test_what_a_webhooks_conditions_mean_is_asked_of_an_api_server(inventory, answer, said):
    cluster, asked = UpgradedCluster(inventory), []
    honest = cluster.run

    def tried(host, *command, **how):
        if command[-1] != "g.x":
            return honest(host, *command, **how)
        asked.append(host.name)
        return answer

    rule = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}
    hook = {
        "kind": "validatingwebhookconfiguration", "name": "guard", "webhook": "g.x", "why": "gone", "rules": [rule],
        "conditional": True,
    }  # fmt: skip
    cluster.run = tried
    cluster.now_reported["m1"]["workloads"] = samples.workloads(inventory, webhooks=[hook])
    if said is None:
        assert run(cluster, dry_run=True).plan
    else:
        with pytest.raises(UnfitHosts) as refused:
            run(cluster, dry_run=True)
        assert said in str(refused.value)
    assert sorted(asked) == ["m1", "m2", "m3"], "each of them: one that lies hides nothing"
    assert cluster.count == 0


def test_one_api_server_that_lies_hides_no_webhook_and_no_dry_run(inventory):
    cluster = UpgradedCluster(inventory)
    honest = cluster.run

    def tried(host, *command, **how):
        if command[-1] != "g.x":
            return honest(host, *command, **how)
        return b'{"complete": true, "refused": %s}' % (b"{}" if host.name == "m1" else b'{"g.x": "failed calling"}')

    rule = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}
    hook = {
        "kind": "validatingwebhookconfiguration", "name": "guard", "webhook": "g.x", "why": "gone", "rules": [rule],
        "conditional": True,
    }  # fmt: skip
    cluster.run = tried
    cluster.now_reported["m1"]["workloads"] = samples.workloads(
        inventory, hindered={f"a{n}": "no" for n in range(50)}
    )
    for name in ("m2", "m3"):
        cluster.now_reported[name]["workloads"] = samples.workloads(inventory, webhooks=[hook])
    with pytest.raises(UnfitHosts, match="guard refuses requests for pods"):
        run(cluster, dry_run=True)


def test_up_refuses_another_version_and_names_the_verb(inventory):
    cluster = UpgradedCluster(inventory)
    with pytest.raises(Refused) as error:
        up(inventory, confirm=pytest.fail, dry_run=False, progress=silent, executor=cluster)
    assert error.value.next_step == f"`haplane upgrade {inventory.path}`"


def test_back_to_the_old_version_while_an_api_server_still_runs_it(inventory):
    """Not after: what the newer ones stored the old ones may not be able to read."""
    cluster = UpgradedCluster(inventory, broken={("m3", "1.36.3")})
    with pytest.raises(HaplaneError, match="m3 did not become ready") as error:
        run(cluster)
    way_back = f'`haplane upgrade {inventory.path}` with cluster["kubernetes_version"] = "1.35.4" in it'
    assert error.value.next_step.endswith(f"; or go back: {way_back}")
    [note] = status(inventory, silent, executor=cluster).notes
    assert note.endswith(f"; or {way_back} goes back")
    cluster.inventory, shown = with_version(inventory, "1.35.4"), []
    assert run(cluster, confirm=lambda lines: shown.extend(lines) or True).hops == ("1.35.4",)
    assert shown[0].startswith("1.36.3 -> 1.35.4; the steps below are those to 1.35.4")
    assert cluster.versions == {"apiservers": {"1.35.4"}, "etcd": {"3.6.16"}, "kubelets": {"1.35.4"}}
    done = UpgradedCluster(with_version(inventory, "1.35.4"), version="1.36.3")
    with pytest.raises(Refused, match=r"cannot become 1.35.4"):
        run(done)


def test_no_way_back_is_shown_once_every_api_server_is_new(inventory):
    cluster = UpgradedCluster(with_version(inventory, "1.36.3"))
    cluster.kubelets["m3"] = "1.34.1"
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["settings"]["apiserver_version"] = "1.36.3"
    [note] = status(cluster.inventory, silent, executor=cluster).notes
    assert note == f"an upgrade was interrupted; `haplane upgrade {inventory.path}` completes it"


def test_back_is_no_way_for_a_kubelet_that_nobody_takes_back(inventory):
    """A worker that was joined by hand, of the newer version: it would be newer than the API servers."""
    cluster = UpgradedCluster(inventory, broken={("m3", "1.36.3")})
    with pytest.raises(HaplaneError, match="m3 did not become ready"):
        run(cluster)
    honest = cluster._joined
    cluster._joined = lambda: [*honest(), honest()[-1] | {"name": "by-hand", "kubelet_version": "v1.36.3"}]
    cluster.inventory = with_version(inventory, "1.35.4")
    with pytest.raises(UnfitHosts) as refused:
        run(cluster)
    assert [error.what for error in refused.value.problems] == [
        "by-hand: kubelet v1.36.3 would be newer than API servers of 1.35.4"
    ]


def test_back_to_an_older_patch_release_at_any_time(inventory, tmp_path):
    """It was refused for what the newer release stored, which is true of minor versions only."""
    write_bundle(tmp_path / "haplane" / "bundles" / "1.36.4-amd64", "1.36.4")
    cluster = UpgradedCluster(with_version(inventory, "1.36.3"), version="1.36.4")
    with pytest.raises(Refused) as error:
        up(cluster.inventory, confirm=pytest.fail, dry_run=False, progress=silent, executor=cluster)
    assert error.value.next_step == f"`haplane upgrade {inventory.path}`"
    assert run(cluster).hops == ("1.36.3",)
    assert cluster.versions == {"apiservers": {"1.36.3"}, "etcd": {"3.6.16"}, "kubelets": {"1.36.3"}}
    assert [kind for kind, *_ in cluster.history] == ["control plane"] * 3 + ["cluster"] + ["node"] * 4
    assert run(cluster).changed is False


@pytest.mark.parametrize("stored", ["3.7.0", "3.6.0"])
def test_etcd_goes_back_a_minor_version_once_its_data_do(inventory, stored):
    """One master runs 1.36.3 still, and every member the etcd of 1.37.2."""
    cluster = UpgradedCluster(inventory, version="1.36.3", broken={("m1", "1.37.2")})
    with pytest.raises(HaplaneError, match="m1 did not become ready as 1.37.2"):
        run(cluster)
    assert cluster.versions["etcd"] == {"3.7.3"}
    cluster.inventory = with_version(inventory, "1.36.3")
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["etcd"]["status"]["storageVersion"] = stored
    if stored == "3.7.0":
        with pytest.raises(UnfitHosts) as refused:
            run(cluster)
        assert "downgrade enable 3.6`, then run again" in str(refused.value)
        assert "haplane bundle pin 1.36.3 --component etcd=3.7.3" in str(refused.value)
        return
    run(cluster)
    assert cluster.versions == {"apiservers": {"1.36.3"}, "etcd": {"3.6.16"}, "kubelets": {"1.36.3"}}


def gone_to_the_new_etcd(inventory):
    """One master runs 1.36.3, all members the etcd of 1.37.2, and `etcdctl downgrade` has converted the data."""
    cluster = UpgradedCluster(inventory, version="1.36.3", broken={("m1", "1.37.2")})
    with pytest.raises(HaplaneError, match="m1 did not become ready as 1.37.2"):
        run(cluster)
    cluster.inventory = with_version(inventory, "1.36.3")
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["etcd"]["status"]["storageVersion"] = "3.6.0"
    cluster.history, cluster.count = [], 0
    return cluster


def members_back(cluster):
    return [name for kind, name, version in cluster.history if (kind, version) == ("etcd", "3.6.16")]


def test_three_members_go_back_one_at_a_time_wherever_the_run_is_killed(inventory):
    """Each step is the last of one run; what is left is what the next one's plan shows."""
    whole, restarts = gone_to_the_new_etcd(inventory), []
    honest = whole._restart_etcd
    whole._restart_etcd = lambda *given: restarts.append(whole.count) or honest(*given)
    run(whole)
    assert members_back(whole) == ["m2", "m3", "m1"], "the leader is last"
    for step in sorted({restart + beside for restart in restarts for beside in (-1, 0, 1)}):
        cluster = gone_to_the_new_etcd(inventory)
        cluster.fails = {step: Killed()}
        with pytest.raises(Killed):
            run(cluster)
        cluster.away.clear()
        back = {name for name in cluster.master_names if is_old(cluster, name)}
        left = [line.partition(":")[0] for line in run(cluster, dry_run=True).plan if "upgrade etcd" in line]
        assert set(", ".join(left).split(", ")) - {""} == cluster.master_names - back
        run(cluster)
        assert cluster.versions == {"apiservers": {"1.36.3"}, "etcd": {"3.6.16"}, "kubelets": {"1.36.3"}}
        assert [name for name in members_back(cluster) if name == "m1"] == ["m1"]
        assert members_back(cluster)[-1] == "m1"


def is_old(cluster, name):
    return cluster.now_reported[name]["etcd"]["status"]["version"] == "3.6.16"


def test_a_member_that_does_not_start_as_the_older_version_runs_the_newer_one_again(inventory):
    """The others, old or new, go on beside it; the same command goes on from there."""
    cluster = gone_to_the_new_etcd(inventory)
    cluster.broken_members = {("m3", "3.6.16")}
    with pytest.raises(HaplaneError, match="m3 did not become ready as 1.36.3: it runs its old version again"):
        run(cluster)
    assert cluster.versions["etcd"] == {"3.6.16", "3.7.3"}
    cluster.broken_members.clear()
    run(cluster)
    assert cluster.versions["etcd"] == {"3.6.16"}


def test_a_single_master_is_an_announced_outage(inventory):
    single = inventory.model_copy(update={"masters": inventory.masters[:1], "etcd": inventory.etcd[:1]})
    cluster, shown = UpgradedCluster(single), []
    run(cluster, confirm=lambda lines: shown.extend(lines) or True)
    assert cluster.versions == NEWEST
    assert [line for line in shown if line.startswith("OUTAGE")]


@pytest.mark.parametrize("claimed", ["9.9.9", "1.0.0"])
def test_a_worker_that_lies_about_its_kubelet_is_named_with_the_command_that_goes_on_without_it(inventory, claimed):
    cluster = UpgradedCluster(inventory)
    honest = cluster._joined
    lie = {"kubelet_version": f"v{claimed}"}
    cluster._joined = lambda: [node | (lie if node["name"] == "w1" else {}) for node in honest()]
    with pytest.raises(Refused, match="w1 kubelet") as refused:
        run(cluster)
    way = "or go on without w1: `haplane upgrade inventories/test.py --without-snapshot --without w1`"
    assert refused.value.next_step.endswith(way)
    for _ in range(2):  # a cluster with a host that is left out is not healthy: a hop a run
        assert run(cluster, without=("w1",)).skipped == {"w1": "left out: by --without"}
    assert cluster.kubelets == dict.fromkeys(("m1", "m2", "m3"), "1.37.2") | {"w1": "1.35.4"}
    cluster._joined = honest
    cluster.history.clear()
    run(cluster)
    assert cluster.versions == NEWEST
    assert {name for kind, name, _ in cluster.history if kind != "cluster"} == {"w1"}, "nothing else goes back for it"


@pytest.mark.parametrize(
    ("name", "kubelet", "without", "named"),
    [
        ("old", "v1.33.0", (), True),
        ("old", "v1.34.0", (), False),
        ("w1", "v1.33.0", ("w1",), True),
        ("w1", "v1.33.0", (), False),
    ],
)
def test_a_kubelet_that_stays_is_judged_beside_the_last_hops_api_servers(inventory, name, kubelet, without, named):
    """It was found between the hops, or never: a node that nobody upgrades was left four minor versions behind."""
    cluster = UpgradedCluster(inventory)
    honest = cluster._joined
    cluster._joined = lambda: [
        *(node | ({"kubelet_version": kubelet} if node["name"] == name else {}) for node in honest()),
        *([honest()[-1] | {"name": name, "kubelet_version": kubelet}] if name != "w1" else []),
    ]
    if not named:
        assert run(cluster, dry_run=True, without=without).plan
        return
    with pytest.raises(UnfitHosts) as refused:
        run(cluster, without=without)
    assert [error.what for error in refused.value.problems] == [
        f"{name}: kubelet {kubelet} would be too old for 1.37.2"
    ]
    assert cluster.count == 0


def test_flags_in_a_file_that_a_drop_in_names_are_checked(inventory, monkeypatch):
    """Where people put them: /etc/default/kubelet. A kubelet of the new version did not start with them."""
    cluster = UpgradedCluster(inventory)
    files = {
        "/etc/systemd/system/kubelet.service.d/10-more.conf": b"[Service]\nEnvironmentFile=-/etc/default/kubelet\n",
        "/etc/default/kubelet": b"KUBELET_EXTRA_ARGS=--gone_flag=1\n",
    }
    unit = cluster.now_reported["w1"]["units"]["kubelet"]
    cluster.now_reported["w1"]["units"]["kubelet"] = unit | {"drop_ins": tuple(files)[:1]}
    monkeypatch.setattr(
        cluster, "read_files", lambda host, paths: {path: files[path] for path in paths if path in files}
    )
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {"kubelet": "      --node-ip string\n"})
    monkeypatch.setattr(
        upgrade_checks, "refusals", lambda _, asked: {one: "unknown flag" for one in asked if "gone" in one.argument}
    )
    with pytest.raises(UnfitHosts) as refused:
        run(cluster)
    assert {(one.what, one.where) for one in refused.value.problems} == {
        (f"kubelet of {version} does not accept the flag --gone-flag", "w1: /etc/default/kubelet")
        for version in ("1.36.3", "1.37.2")
    }


def test_containerd_of_nodes_outside_the_inventory_alone_is_what_they_report(inventory, monkeypatch):
    """Hosts of the inventory get that of each bundle, together with its kubelet."""
    monkeypatch.setattr(upgrade_checks.checks, "OLDEST_CONTAINERD", ((37, (2, 0)), (0, (1, 6))))
    cluster = UpgradedCluster(inventory)
    honest, old = cluster._joined, {"runtime_version": "containerd://1.7.24"}
    cluster._joined = lambda: [*(node | old for node in honest()), honest()[-1] | old | {"name": "theirs"}]
    with pytest.raises(UnfitHosts) as refused:
        run(cluster)
    assert [error.what for error in refused.value.problems] == [
        "theirs: containerd 1.7 is too old for a kubelet of 1.37.2"
    ]


def resized(tmp_path, version, **sizes):
    """In the bundle of that version, the sizes of files whose name is a key."""
    path = tmp_path / "haplane" / "bundles" / f"{version}-amd64" / "manifest.json"
    document = json.loads(path.read_text())
    for file in (*document["files"], *(image["file"] for image in document["images"])):
        file["size"] = sizes.get(file["path"].rpartition("/")[2].partition(".")[0], file["size"])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ({"0": 4 << 30}, {"0": 3 << 30}, ["m1", "m2", "m3"]),
        ({"0": 3 << 30}, {"0": 3 << 30}, []),
        ({"kubelet": 30 << 30}, {"kubelet": 30 << 30}, []),
        ({}, {"kubelet": 39 << 30}, ["m1", "m2", "m3", "w1"]),
    ],
)
def test_room_is_looked_for_that_all_hops_take(inventory, tmp_path, first, second, refused):
    """40 GiB are free. Images of the first hop stay, its staged programs go: the second found the disk full."""
    resized(tmp_path, "1.36.3", **first)
    resized(tmp_path, "1.37.2", **second)
    cluster = UpgradedCluster(inventory)
    if not refused:
        assert run(cluster, dry_run=True).plan
        return
    with pytest.raises(UnfitHosts) as error:
        run(cluster)
    assert [one.what for one in error.value.problems] == [
        f"{name}: too little disk to stage the new version" for name in refused
    ]
    assert cluster.count == 0, "before the first hop"
    assert cluster.count == 0, "before the first hop"


def test_programs_of_a_later_hop_need_room_in_their_places_too(inventory, tmp_path):
    resized(tmp_path, "1.37.2", kubelet=200 << 20)
    cluster = UpgradedCluster(inventory)
    for report in cluster.now_reported.values():
        report["machine"] = report["machine"] | {"programs_free_bytes": 100 << 20}
    with pytest.raises(UnfitHosts) as error:
        run(cluster)
    assert {one.what for one in error.value.problems} == {
        f"{name}: too little disk to switch to the new version" for name in ("m1", "m2", "m3", "w1")
    }
    assert cluster.count == 0, "before the first hop"
    assert cluster.count == 0, "before the first hop"


def test_a_worker_that_is_left_out_stops_no_other_node(inventory, monkeypatch):
    """`haplane upgrade --without w1` was still stopped by w1 after control planes are upgraded."""
    cluster = UpgradedCluster(inventory)
    honest = cluster._joined
    cluster._joined = lambda: [node | {"ready": node["name"] != "w1"} for node in honest()]

    def rollouts(name, arguments):
        if any("daemonset" in one for one in arguments["workloads"]):
            raise HaplaneError("Wait until the new pods run everywhere: failed", why="1 of 4 updated")

    cluster._wait_for_rollouts = rollouts
    for _ in range(2):
        outcome = run(cluster, without=("w1",))
        assert any("kube-proxy" in one and "w1 was left out" in one for one in outcome.warnings)
    assert cluster.kubelets == dict.fromkeys(("m1", "m2", "m3"), "1.37.2") | {"w1": "1.35.4"}


def test_a_master_that_lies_about_its_version_is_named_with_the_commands_that_replace_it(inventory):
    cluster = UpgradedCluster(inventory)
    cluster.now_reported["m3"]["settings"]["apiserver_version"] = "9.9.9"
    with pytest.raises(Refused, match="m3 kube-apiserver 9.9.9") as refused:
        run(cluster)
    assert "haplane node repair INVENTORY HOST" in refused.value.next_step
