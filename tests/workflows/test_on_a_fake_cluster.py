"""Every verb from its first look to its last, on hosts in memory."""

import os
import tempfile
from contextlib import nullcontext, suppress
from copy import deepcopy
from hashlib import sha256
from pathlib import Path

import pytest
import samples
from contexts import write_bundle
from fake_cluster import FakeCluster, Killed, converged, nothing

from haplane.domain import host_paths
from haplane.domain.progress import silent
from haplane.errors import HaplaneError, Refused
from haplane.observation import choose_source, decide
from haplane.recovery import candidates
from haplane.recovery.database import Database
from haplane.recovery.request import RestoreRequest
from haplane.workflows import prepare
from haplane.workflows import status as looking
from haplane.workflows.certs import list_certificates
from haplane.workflows.discard import discard
from haplane.workflows.reset import reset
from haplane.workflows.restore import restore
from haplane.workflows.up import up


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    """With a bundle; a new cluster's keys are those that samples know."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    write_bundle(tmp_path)
    return samples.inventory(workers=1, bundle=str(tmp_path), proxy_mode="nftables")


def run_up(cluster, **asked):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster, **asked}
    return up(cluster.inventory, **given)


def test_a_cluster_is_made_from_nothing_and_then_there_is_nothing_to_do(inventory):
    cluster = FakeCluster(inventory)
    made = run_up(cluster)
    assert made.changed
    assert made.status.healthy, made.status.problems
    assert made.join_command
    before = len(cluster.deployed)
    again = run_up(cluster)
    assert (again.changed, again.plan, len(cluster.deployed)) == (False, (), before)


def test_the_users_files_are_read_once_before_any_host_is_contacted(inventory, tmp_path, monkeypatch):
    """They may change, or be gone, while a run decides, and decides again."""
    monkeypatch.setattr(prepare, "wrong_flags", lambda *_: ())  # the bundle has no programs
    network, ca = tmp_path / "network.yaml", tmp_path / "ca.crt"
    network.write_text(samples.NETWORK_MANIFEST)
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    flags = {"oidc-issuer-url": "https://sso.example.org", "oidc-ca-file": str(ca)}
    settings = {"pod_network_manifest": str(network), "tuning": {"kube_apiserver": flags}}
    given = samples.inventory(workers=1, bundle=str(tmp_path), proxy_mode="nftables", **settings)
    cluster = FakeCluster(given)
    honest = cluster.observe

    def gone(hosts, request):
        network.unlink(missing_ok=True)
        ca.unlink(missing_ok=True)
        return honest(hosts, request)

    cluster.observe = gone
    assert run_up(cluster).changed
    assert "apply_cluster" in cluster.recipes


def test_a_dry_run_deploys_nothing(inventory):
    cluster = FakeCluster(inventory)
    shown = run_up(cluster, dry_run=True, confirm=lambda _: pytest.fail("asked"))
    assert shown.plan
    assert cluster.deployed == cluster.locks == []


def test_the_plan_is_not_shown_again_when_hosts_answer_in_another_order(inventory):
    cluster = FakeCluster(inventory)
    shown = []
    honest = cluster.observe

    def shuffled(hosts, request):
        return honest(hosts if len(shown) == 0 else tuple(reversed(hosts)), request)

    cluster.observe = shuffled
    run_up(cluster, confirm=lambda lines: shown.append(lines) or True)
    assert len(shown) == 1


def test_an_interrupted_up_is_completed_by_the_next(inventory):
    whole = FakeCluster(inventory)
    run_up(whole)
    for number in range(1, whole.count + 1):
        cluster = FakeCluster(inventory, fails={number: Killed()})
        with pytest.raises(Killed):
            run_up(cluster)
        assert run_up(cluster).status.healthy
        assert run_up(cluster).plan == ()


def test_a_member_that_is_unknown_without_etcdctl_gets_it_and_nothing_else(inventory):
    """`rm /usr/local/bin/etcdctl`: what the host has is unknown, not gone."""

    class Lost(FakeCluster):
        def _arrive(self, host):
            super()._arrive(host)
            self.take(host.name, "etcd")
            self.now_reported[host.name] |= {"failed": {}, "lacks": {}}

    reports = converged(inventory)
    program = "/usr/local/bin/etcdctl"
    reports["m1"]["bundle"] = {path: one for path, one in reports["m1"]["bundle"].items() if path != program}
    reports["m1"]["etcd"] = samples.document()["etcd"]
    reports["m1"]["failed"] = {"etcd": "etcdctl could not be run: not found in PATH"}
    reports["m1"]["lacks"] = {"etcd": "etcdctl"}
    cluster = Lost(inventory, reports)
    done = run_up(cluster)
    assert [line.partition(" (")[0] for line in done.plan] == ["m1: push binaries"]
    assert done.status.healthy, done.status.problems
    assert not {"form_etcd", "start_etcd", "restart_etcd", "add_learner", "move_etcd_data"} & set(cluster.recipes)


def test_status_knows_that_up_would_write_the_file_with_which_a_unit_does_not_start(inventory):
    reports = converged(inventory)
    path = host_paths.HAPROXY_CFG
    reports["lb1"]["files"] |= {path: reports["lb1"]["files"][path] | {"sha256": "e" * 64}}
    failing = {"active": False, "starting": True, "why": "unknown keyword"}
    reports["lb1"]["units"] |= {"haproxy": reports["lb1"]["units"]["haproxy"] | failing}
    found = looking.status(inventory, silent, executor=FakeCluster(inventory, reports)).problems
    what = f"lb1: haproxy is not running ({path} is not as haplane writes it; unknown keyword)"
    assert f"{what}; fix: `haplane up {inventory.path}`" in map(str, found)


def drifted(inventory, *names):
    """Converged, but a control plane's configuration is another one on these masters."""
    reports = converged(inventory)
    for name in names:
        path = next(path for path in reports[name]["files"] if path.endswith("kubeadm.yaml"))
        reports[name]["files"] = {
            **reports[name]["files"],
            path: {**reports[name]["files"][path], "sha256": "1" * 64},
        }
    return reports


@pytest.mark.parametrize("gone", ["m1", "m2", "m3"])
def test_whichever_master_goes_away_meanwhile_at_most_one_is_out_by_our_hand(inventory, gone):
    names = ("m1", "m2", "m3")
    whole = FakeCluster(inventory, drifted(inventory, *names))
    run_up(whole)
    assert whole.recipes.count("restart_control_plane") == 3
    for number in range(1, whole.count + 1):
        cluster = FakeCluster(inventory, drifted(inventory, *names))
        honest = cluster.deploy

        def deploy(hosts, recipe, cluster=cluster, honest=honest, number=number, **arguments):
            if cluster.count + 1 == number:
                cluster.off[gone] = "power cut"
            honest(hosts, recipe, **arguments)

        cluster.deploy = deploy
        with suppress(HaplaneError):
            run_up(cluster)
        assert cluster.recipes.count("restart_control_plane") <= 3


def test_a_reset_leaves_nothing_and_ends_with_the_directory(inventory):
    cluster = FakeCluster(inventory, converged(inventory))
    asked = []
    given = {"progress": silent, "executor": cluster}
    assert reset(inventory, (), confirm=pytest.fail, dry_run=True, **given).plan
    assert cluster.deployed == []
    done = reset(inventory, (), confirm=lambda lines: asked.append(lines) or True, **given)
    assert len(done.done) == len(inventory.hosts)
    assert done.kept_in.startswith("/var/lib/haplane-reset/")
    assert cluster.now_reported == nothing(inventory)
    assert len(asked) == 1


OLD = "/var/lib/etcd/aside-20261122T190000Z"


def test_old_data_is_deleted_where_it_was_named_and_nowhere_else(inventory):
    reports = converged(inventory)
    for name in ("m1", "m3"):
        kept = [{"path": OLD, "size": 5 << 20}, {"path": "/var/lib/etcd/aside-of-mine", "size": 1}]
        reports[name]["leftovers"] = reports[name]["leftovers"] | {"previous_data": kept}
    cluster = FakeCluster(inventory, reports)
    given = {"progress": silent, "executor": cluster}
    assert discard(inventory, ("m3",), confirm=pytest.fail, dry_run=True, **given).plan
    assert cluster.deployed == cluster.locks == []
    assert discard(inventory, ("m3",), confirm=lambda _: False, **given).removed == ()
    done = discard(inventory, ("m3",), confirm=lambda _: True, **given)
    assert [(one.host, one.path) for one in done.removed] == [("m3", OLD)]
    assert [(name, hosts) for name, hosts, _ in cluster.deployed] == [("discard_kept", ["m3"])]
    both = discard(inventory, (), confirm=lambda _: True, **given)
    assert [one.host for one in both.removed] == ["m1"]
    assert discard(inventory, (), confirm=pytest.fail, **given).removed == ()


def test_old_data_stay_while_a_member_does_not_serve(inventory):
    reports = converged(inventory)
    reports["m1"]["leftovers"] = reports["m1"]["leftovers"] | {"previous_data": [{"path": OLD, "size": 1}]}
    reports["m2"]["etcd"] = {
        **reports["m2"]["etcd"],
        "has_data": False,
        "status": None,
        "reads_through_quorum": False,
    }
    cluster = FakeCluster(inventory, reports)
    with pytest.raises(Refused, match="may still be needed"):
        discard(inventory, (), confirm=pytest.fail, progress=silent, executor=cluster)


def test_status_with_and_without_hosts(inventory):
    cluster = FakeCluster(inventory, converged(inventory))
    assert looking.status(inventory, silent, executor=cluster).healthy
    cluster.off = {host.name: "off" for host in inventory.hosts}
    assert not looking.status(inventory, silent, executor=cluster).healthy


def test_status_notes_what_up_would_do_and_a_cluster_that_does_not_exist_needs_no_such_note(inventory):
    cluster = FakeCluster(inventory, converged(inventory))
    assert looking.status(inventory, silent, executor=cluster).notes == ()
    cluster.now_reported["m2"]["files"][host_paths.CONTAINERD_CONFIG_TOML]["sha256"] = "1" * 64
    planned = run_up(cluster, dry_run=True).plan
    assert [line for line in planned if line.startswith("m2: write files")], planned
    notes = looking.status(inventory, silent, executor=cluster).notes
    assert notes == tuple(f"`haplane up {inventory.path}` would do: {line}" for line in planned)
    assert cluster.deployed == cluster.locks == []
    assert looking.status(inventory, silent, executor=FakeCluster(inventory)).notes == ()


def test_certificates_are_listed_the_first_to_expire_first(inventory):
    cluster = FakeCluster(inventory, converged(inventory))
    cluster.off = {"m3": "no response"}
    found = list_certificates(inventory, silent, executor=cluster)
    assert {one.host for one in found.certificates} == {"m1", "m2", "w1"}
    ends = [one.not_after for one in found.certificates]
    assert ends == sorted(ends)
    assert found.unreachable == {"m3": "no response"}
    assert cluster.deployed == cluster.locks == []


def test_every_certificate_is_renewed_one_master_at_a_time(inventory):
    reports = converged(inventory)
    for host in inventory.etcd:
        leaves = samples.leaves(host).items()
        reports[host.name]["certificates"] |= {path: pem.decode() for path, pem in leaves if path.endswith(".crt")}
    cluster = FakeCluster(inventory, reports)
    renewed = run_up(cluster, renew=True)
    assert renewed.changed
    assert renewed.status.healthy
    assert cluster.locks[0][0] == "haplane certs renew inventories/test.py"
    assert cluster.recipes.count("restart_etcd") == 3


NO_DATA = {"bootstrapped": True, "has_data": False, "status": None, "members": None, "reads_through_quorum": False}


def test_a_member_that_lost_its_data_is_added_again(inventory):
    reports = converged(inventory)
    reports["m2"]["etcd"] = NO_DATA
    cluster = FakeCluster(inventory, reports)
    repaired = run_up(cluster, repaired="m2")
    assert repaired.status.healthy, repaired.status.problems
    assert cluster.locks[0][0].startswith("haplane node repair")
    assert [name for name in cluster.recipes if name in MEMBERSHIP] == list(MEMBERSHIP)
    assert cluster.away == set()


def test_what_kubeadm_reset_took_from_a_master_comes_back_with_one_up(inventory):
    """It removes what is in /etc/kubernetes and, with no pod of etcd's to name its directory, etcd's data."""
    reports, blank = converged(inventory), nothing(inventory)["m2"]
    whole = reports["m2"]
    stopped = {"kubelet": whole["units"]["kubelet"] | {"active": False}}
    kept = {path: file for path, file in whole["files"].items() if not path.startswith("/etc/kubernetes/")}
    lost = ("kubernetes", "apiserver", "components", "workloads", "certificates", "made")
    reports["m2"] = whole | {name: blank[name] for name in lost}
    reports["m2"] |= {"files": kept, "units": whole["units"] | stopped, "etcd": NO_DATA}
    cluster = FakeCluster(inventory, reports)
    assert not looking.status(inventory, silent, executor=cluster).healthy
    done = run_up(cluster)
    assert done.status.healthy, done.status.problems
    assert [name for name in cluster.recipes if name in MEMBERSHIP] == list(MEMBERSHIP)
    assert "initialise_master" in cluster.recipes
    assert not run_up(cluster).changed


UID = "0f5a2c1e-6d0e-4c49-9c39-2f3b0f7a1d11"
MEMBERSHIP = ("remove_member", "move_etcd_data", "add_learner", "start_learner", "promote_learner")


class Programs:
    """In place of etcd's, which only a bundle has: directories for what is fetched."""

    def __init__(self, directory):
        self.directory = directory

    def new_directory(self, name, _size=None):
        return Path(tempfile.mkdtemp(prefix=name, dir=self.directory))


@pytest.fixture
def file(monkeypatch, tmp_path):
    """An etcd snapshot of this cluster; looking through it takes etcd's own programs."""
    path = tmp_path / "snapshot.db"
    path.write_bytes(b"database")
    os.utime(path, (samples.NOW.timestamp() - 45,) * 2)
    digest, authority = sha256(path.read_bytes()).hexdigest(), samples.identity().kubernetes.certificate
    database = Database(path, digest, path.stat().st_size, 90, 5, 5, UID, authority)
    monkeypatch.setattr(candidates, "take_in", lambda *_: database)
    monkeypatch.setattr(choose_source, "etcd_tools", lambda *_: nullcontext(Programs(tmp_path)))
    return path


@pytest.fixture
def lost(inventory):
    """A cluster of that UID."""
    reports = converged(inventory)
    for host in inventory.masters:
        reports[host.name]["kubernetes"]["uid"] = UID
    return FakeCluster(inventory, reports, deepcopy(reports))


def run_restore(cluster, file=None, **asked):
    given = {"confirm": lambda _: True, "progress": silent, "executor": cluster, **asked}
    request = RestoreRequest(file=file, unsigned=True, accept_loss=True) if file else RestoreRequest()
    return restore(cluster.inventory, request, **given)


def test_a_restore_replaces_all_data_while_nothing_serves_and_measures_that(lost, file):
    shown = run_restore(lost, file, dry_run=True, confirm=pytest.fail).plan
    assert shown[0] == f"restore file {file}: revision 90 of 100, loses 10 revisions, every write of the last 45 s"
    assert lost.deployed == []
    done = run_restore(lost, file)
    assert lost.switched == lost.sent == ["m1", "m2", "m3"]
    assert (done.warnings, done.uid, done.revision_before) == ((), UID, 100)
    assert done.revision > 1_000_000_000
    assert done.outage_seconds is not None
    assert done.status.healthy, done.status.problems
    assert not any(report["leftovers"].get("journal") for report in lost.now_reported.values())


def test_a_cluster_that_works_is_not_restored_by_mistake(lost, file):
    with pytest.raises(Refused, match="can be recovered without losing data"):
        run_restore(lost)
    assert lost.deployed == lost.locks == []


@pytest.mark.parametrize("at", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("gone", ["m1", "w1"])
def test_a_restore_with_a_host_that_stops_responding_in_the_middle_is_completed_by_the_next(lost, file, gone, at):
    whole = deepcopy(lost)
    assert run_restore(whole, file).exit_code == 0
    lost.lost_at = int(whole.contacts * at), gone
    with suppress(HaplaneError):
        assert run_restore(lost, file).exit_code != 0
    lost.off.clear()
    done = run_restore(lost, file)
    assert (done.warnings, done.uid) == ((), UID)
    assert done.exit_code == 0
    assert not any(report["leftovers"].get("journal") for report in lost.now_reported.values())
