"""The commands that `status` and `upgrade` name, for each cause in each state of an upgrade: they are not refused."""

import re
from copy import deepcopy

import pytest
import samples
from domain.test_etcd_failure import REAL
from upgrading import UpgradedCluster, with_version, write_bundle

from haplane.context.context import Context
from haplane.context.request import Request
from haplane.domain import host_paths
from haplane.domain.etcd_failure import FailureKind
from haplane.domain.plan import Kind
from haplane.domain.progress import silent
from haplane.domain.upgrade_interrupted import NO_VERSION_DECIDES, ONCE_FOR_ALL
from haplane.errors import ExitCode, HaplaneError, Refused, Several, UnfitHosts
from haplane.observation import decide, upgrade_checks
from haplane.recovery.request import RestoreRequest
from haplane.workflows import restore as restoring
from haplane.workflows.prepare import prepare_to_converge
from haplane.workflows.status import status
from haplane.workflows.up import up
from haplane.workflows.upgrade import upgrade

OLD, NEXT, LAST = "1.35.4", "1.36.3", "1.37.2"
COMMAND = re.compile(r'`haplane ([^`]+)`(?: with cluster\["kubernetes_version"\] = "([^"]+)" in it)?')
NEWEST = {"apiservers": {LAST}, "etcd": {"3.7.3"}, "kubelets": {LAST}}


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    monkeypatch.setattr(upgrade_checks, "helps", lambda *_: {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for version in (OLD, NEXT, LAST):
        write_bundle(tmp_path / "haplane" / "bundles" / f"{version}-amd64", version)
    return samples.inventory(workers=1, proxy_mode="nftables", kubernetes_version=LAST)


def run_upgrade(cluster, **asked):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster, **asked}
    return upgrade(cluster.inventory, without_snapshot=True, **given)


def run_up(cluster, inventory=None, **asked):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": silent, "executor": cluster, **asked}
    return up(inventory or cluster.inventory, **given)


def one_version(inventory):
    """The inventory's."""
    return UpgradedCluster(with_version(inventory, OLD), version=OLD)


def another(inventory):
    """One, and the inventory wants a later one."""
    return UpgradedCluster(inventory, version=OLD)


def interrupted(inventory, broken="m3"):
    """The control planes before ``broken`` run the next version, the others do not."""
    cluster = UpgradedCluster(inventory, version=OLD, broken={(broken, NEXT)})
    with pytest.raises(HaplaneError, match=f"{broken} did not become ready"):
        run_upgrade(cluster)
    cluster.broken.clear()
    cluster.count, cluster.history = 0, []
    return cluster


def interrupted_in_etcd(inventory):
    """All Kubernetes is of one version, and one member of etcd is not."""
    cluster = UpgradedCluster(inventory, version=NEXT)
    cluster.broken_members = {("m3", "3.7.3")}
    with pytest.raises(HaplaneError, match="m3 did not become ready"):
        run_upgrade(cluster)
    cluster.broken_members.clear()
    cluster.count, cluster.history = 0, []
    return cluster


STATES = {"one": one_version, "another": another, "interrupted": interrupted, "in etcd": interrupted_in_etcd}
_made = {}


def in_state(state, inventory):
    """A cluster in that state. Each is brought into it once, and copied: a hundred tests begin in one of them."""
    if state not in _made:
        _made[state] = STATES[state](inventory)
    return deepcopy(_made[state], {id(_made[state].inventory): _made[state].inventory})


def stop_etcd(cluster):
    report = cluster.now_reported["m2"]
    report["etcd"] |= {"status": None, "members": None, "reads_through_quorum": False}
    report["units"] = report["units"] | {"etcd": {"active": False, "enabled": True, "needs_reload": False}}


def with_words(*lines):
    def plant(cluster):
        stop_etcd(cluster)
        cluster.now_reported["m2"]["etcd"]["last_words"] = lines

    return plant


def with_alarm(alarm):
    def plant(cluster):
        for name in ("m1", "m2", "m3"):
            cluster.now_reported[name]["etcd"]["status"]["errors"] = [alarm]

    return plant


def make_anew(name):
    """A new host under an old name: it has nothing."""

    def plant(cluster):
        fresh = samples.fresh(cluster.inventory).reports[name].model_dump(by_alias=True)
        cluster.now_reported[name] = fresh | {"bundle": {}, "images": []}
        cluster.kubelets.setdefault(name, OLD)

    return plant


def lose_quorum(cluster):
    for name in ("m2", "m3"):
        report = cluster.now_reported[name]
        report["etcd"] |= {"status": None, "members": None, "reads_through_quorum": False, "has_data": False}
        report["units"] = report["units"] | {"etcd": {"active": False, "enabled": True, "needs_reload": False}}
    cluster.now_reported["m1"]["etcd"] |= {"reads_through_quorum": False, "status": None, "members": None}
    for name in ("m1", "m2", "m3"):
        cluster.now_reported[name]["apiserver"] = {"ready": False}
        cluster.now_reported[name]["kubernetes"] = None


def drain_server(cluster):
    host = next(host for host in cluster.inventory.hosts if host.name == "lb1")
    servers = samples.servers(cluster.inventory, host, m2="DRAIN")
    cluster.now_reported["lb1"]["balancer"] = cluster.now_reported["lb1"]["balancer"] | {"servers": servers}


def stop_kubelet(cluster):
    report = cluster.now_reported["w1"]
    report["units"] = report["units"] | {"kubelet": report["units"]["kubelet"] | {"active": False}}


FATAL = '{"level":"fatal","msg":"discovery failed","error":"%s"}'
CAUSES = {
    "nothing": lambda cluster: None,
    "etcd is stopped": stop_etcd,
    "etcd's data are damaged": with_words(FATAL % "8e9e05c52164694d found data inconsistency with peers"),
    "alarm CORRUPT": with_alarm("memberID:2 alarm:CORRUPT "),
    "alarm NOSPACE": with_alarm("memberID:2 alarm:NOSPACE "),
    "nobody knows whose data are damaged": with_alarm("alarm:CORRUPT "),
    "quorum is lost": lose_quorum,
    "a master is new": make_anew("m2"),
    "a worker is new": make_anew("w1"),
    "a master is off": lambda cluster: cluster.off.update(m2="no route to host"),
    "a server is drained": drain_server,
    "a kubelet is stopped": stop_kubelet,
    "a manifest was edited": lambda cluster: cluster.now_reported["m2"].update(
        made=dict.fromkeys(cluster.now_reported["m2"]["made"], "0" * 64)
    ),
    "super-admin.conf is left": lambda cluster: cluster.now_reported["m2"]["files"].update(
        {host_paths.SUPER_ADMIN_KUBECONFIG: {"sha256": "0" * 64, "mode": 0o600, "user_id": 0}}
    ),
    **{f"etcd fails: {kind.value}": with_words(*lines) for lines, kind in REAL if kind is not FailureKind.DISK_ERROR},
}
"""Where a disk cannot be read, data have to be moved by hand before the command that is named."""


def advised(cluster):
    """What `status` and `upgrade` name, with the inventory's version in which it is to be run."""
    found = status(cluster.inventory, silent, executor=cluster)
    texts = [one.fix for one in found.problems] + [one for one in found.notes if "would " not in one]
    try:
        run_upgrade(cluster, dry_run=True)
    except HaplaneError as error:
        each = (error, *(error.problems if isinstance(error, Several) else ()))
        texts += [one.next_step for one in each if one.next_step]
    return {match.groups() for text in texts for match in COMMAND.finditer(text)}


def carry_out(cluster, command, version):
    """As far as it decides: a dry run, and of a restore what comes before its snapshot. Raises as the verb does."""
    words = command.split()
    inventory = with_version(cluster.inventory, version or cluster.inventory.cluster.kubernetes_version)
    if words[0] == "up":
        run_up(cluster, inventory, dry_run=True)
    elif words[:2] == ["node", "repair"]:
        run_up(cluster, inventory, dry_run=True, repaired=words[3])
    elif words[0] == "restore":
        asked = prepare_to_converge(inventory)
        context = Context(Request(inventory, asked.manifest, asked.bundle, restore=RestoreRequest()), cluster)
        for look in restoring.LOOKS:
            look.carry_out(context)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("cause", CAUSES)
def test_what_is_advised_is_not_refused(inventory, cause, state):
    """`status` named `haplane up` and `node repair` between two versions, where both refused and named `upgrade`.

    What a host has to be there for, off or to be started, is no matter of versions.
    """
    cluster = in_state(state, inventory)
    CAUSES[cause](cluster)
    for command, version in sorted(advised(cluster), key=str):
        try:
            carry_out(cluster, command, version)
        except HaplaneError as error:
            assert cluster.off, f"{command} with {version}: {error}"
            assert "another version" not in str(error)
            assert "the inventory wants" not in str(error)


ENDS_IT = {
    "etcd is stopped": {},
    "etcd's data are damaged": {"repaired": "m2"},
    "alarm CORRUPT": {"repaired": "m2"},
    "a master is new": {"repaired": "m2"},
}


@pytest.mark.parametrize("state", ["interrupted", "in etcd"])
@pytest.mark.parametrize("cause", ENDS_IT)
def test_between_two_versions_it_is_repaired_and_the_upgrade_completed(inventory, cause, state):
    """No version is changed by the repair but that of what is made anew."""
    cluster = STATES[state](with_version(inventory, NEXT) if state == "interrupted" else inventory)
    CAUSES[cause](cluster)
    before = {name: dict(report["bundle"]) for name, report in cluster.now_reported.items()}
    done = run_up(cluster, **ENDS_IT[cause])
    assert done.changed
    assert done.exit_code is ExitCode.INCOMPLETE
    assert any("an upgrade was interrupted" in one for one in done.warnings)
    for name, report in cluster.now_reported.items():
        programs = {path for path in before[name] if before[name][path] != report["bundle"].get(path)}
        assert all("/etcd" in path for path in programs) or name == ENDS_IT[cause].get("repaired"), programs
    assert not any(kind == "node" for kind, *_ in cluster.history)
    run_upgrade(cluster)
    wanted = cluster.inventory.cluster.kubernetes_version
    assert cluster.versions["apiservers"] == cluster.versions["kubelets"] == {wanted}


@pytest.mark.parametrize("state", ["interrupted", "in etcd"])
def test_a_new_worker_waits_for_the_end_of_the_upgrade(inventory, state):
    """Its kubelet would be newer than API servers that it uses."""
    cluster = STATES[state](with_version(inventory, NEXT) if state == "interrupted" else inventory)
    make_anew("w1")(cluster)
    cluster.kubelets["w1"] = OLD
    done = run_up(cluster)
    [warning] = done.warnings
    assert warning.endswith("--without w1` completes it; w1 can join after that")
    run_upgrade(cluster, without=("w1",))
    run_up(cluster)
    wanted = cluster.inventory.cluster.kubernetes_version
    assert cluster.versions["kubelets"] == {wanted}


def test_a_host_that_is_made_anew_runs_beside_the_others_or_not_at_all(inventory):
    """1.37.2 is wanted, 1.35.4 and 1.36.3 run: a master of 1.37.2 would be two minor versions ahead."""
    cluster = interrupted(inventory)
    make_anew("m2")(cluster)
    with pytest.raises(Refused, match="m2 cannot be made anew in this version") as refused:
        run_up(cluster, repaired="m2")
    assert "Kubernetes 1.37.2 may not run beside 1.35.4, 1.36.3" in refused.value.why
    assert 'to "1.36.3", then run again' in refused.value.next_step
    assert cluster.count == 0


def test_between_two_versions_with_nothing_to_repair_up_changes_nothing_and_names_the_upgrade(inventory):
    cluster = interrupted(inventory)
    done = run_up(cluster, confirm=pytest.fail)
    assert not done.changed
    assert done.exit_code is ExitCode.INCOMPLETE
    assert done.warnings == (
        "an upgrade was interrupted (hosts run Kubernetes 1.35.4 and 1.36.3): no version is changed here, "
        f"`haplane upgrade {inventory.path}` completes it",
    )
    with pytest.raises(Refused, match="the inventory wants"):
        run_up(cluster, renew=True)


def test_a_host_with_programs_and_without_kubeadms_files_is_made_anew(inventory):
    """Between two versions nobody knows of which its kubeadm is to run."""
    cluster = interrupted(inventory)
    for path in (host_paths.KUBELET_KUBECONFIG, host_paths.ADMIN_KUBECONFIG, host_paths.KUBELET_CONFIG_YAML):
        del cluster.now_reported["m2"]["files"][path]
    cluster.now_reported["m2"]["units"].pop("kubelet")
    with pytest.raises(UnfitHosts) as refused:
        run_upgrade(cluster)
    steps = [one.next_step for one in refused.value.problems if "kubeadm's phases" in one.what]
    repair = '`haplane node repair INVENTORY m2` with cluster["kubernetes_version"] = "1.36.3" in it'
    assert steps == [f"`haplane reset INVENTORY m2`, then {repair}"]


def test_a_master_that_lies_about_its_version_makes_no_interrupted_upgrade(inventory):
    cluster = another(inventory)
    cluster.now_reported["m3"]["settings"]["apiserver_version"] = "1.37.2"
    with pytest.raises(Refused, match="the inventory wants"):
        run_up(cluster)


def test_every_step_of_up_is_judged():
    """One that is new is decided upon here: whether a version decides it."""
    conditional = {
        Kind.FILES, Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME, Kind.KUBELET, Kind.CONTROL_PLANE, Kind.CERTIFICATES,
        Kind.INITIALISE, Kind.JOIN, Kind.ETCD, Kind.KUBELET_CONFIG,
    }  # fmt: skip
    others = {
        Kind.SNAPSHOT, Kind.STAGE, Kind.UPGRADE_ETCD, Kind.UPGRADE_CONTROL_PLANE, Kind.UPGRADE_NODE, Kind.RESET,
        Kind.DISCARD, Kind.DRAIN, Kind.UNCORDON, Kind.REBOOT, Kind.PATCH, Kind.REMOVE,
    }  # fmt: skip
    assert {*NO_VERSION_DECIDES, *ONCE_FOR_ALL} | conditional | others == set(Kind)
    assert not {*NO_VERSION_DECIDES} & ({*ONCE_FOR_ALL} | conditional | others)
