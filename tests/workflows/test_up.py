from dataclasses import replace
from datetime import UTC, datetime

import pytest
import samples
from contexts import context_of

from haplane.config.model import Host, Inventory
from haplane.context.context import Context
from haplane.context.decision import Decision
from haplane.context.phase import Look, Phase
from haplane.desired.hosts import lasting_settings
from haplane.domain import host_paths
from haplane.domain.clocks import Window
from haplane.domain.decide import decide
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind
from haplane.errors import BadInput, ExitCode, Refused, UnfitHosts, Unreachable
from haplane.observation.decide import decide_convergence
from haplane.observation.preconditions import refuse_changed_settings
from haplane.observation.requirements import refuse_unfit_hosts
from haplane.phases.converge.apply_cluster import APPLY_CLUSTER
from haplane.phases.converge.initialise_masters import TIDY_MASTERS
from haplane.phases.converge.join_workers import JOIN_WORKERS
from haplane.phases.converge.push_bundle import FINISH_PUSHES
from haplane.phases.converge.start_balancers import paths_of
from haplane.phases.converge.start_container_runtime import START_CONTAINER_RUNTIME
from haplane.procedures.pushes import wait_for_images
from haplane.workflows import engine
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN
from haplane.workflows.prepare import prepare
from haplane.workflows.up import ENTRIES, Outcome

PHASES = [entry for entry in ENTRIES if isinstance(entry, Phase)]


def look(context):
    for entry in ENTRIES[1 : ENTRIES.index(CONFIRM)]:
        entry.carry_out(context)


OTHER_VERBS = {Kind.RESET, Kind.DISCARD, Kind.DRAIN, Kind.UNCORDON, Kind.REBOOT, Kind.PATCH, Kind.REMOVE}
OTHER_VERBS |= {Kind.SNAPSHOT, Kind.STAGE, Kind.UPGRADE_ETCD, Kind.UPGRADE_CONTROL_PLANE, Kind.UPGRADE_NODE}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in OTHER_VERBS])
def test_every_kind_of_step_is_carried_out_by_exactly_one_phase(kind):
    assert [phase.title for phase in PHASES if kind in phase.kinds] != []
    assert sum(kind in phase.kinds for phase in PHASES) == 1


def test_pushes_that_nobody_else_waits_for_are_waited_for():
    """A replaced binary or a missing image alone: no phase that needs it runs."""
    for kind in (Kind.BUNDLE, Kind.IMAGES):
        waiting = [phase for phase in PHASES if kind in phase.kinds + phase.also_after]
        assert START_CONTAINER_RUNTIME in waiting
        assert waiting[-1] is FINISH_PUSHES


class FakePush:
    """Remembers that it was waited for."""

    def __init__(self, host: Host) -> None:
        self.host, self.waited = host, False

    def wait(self) -> None:
        self.waited = True


def test_only_the_images_of_the_hosts_concerned_are_waited_for():
    inventory = samples.inventory(workers=1)
    context = context_of(inventory)
    context.result.image_pushes = pushes = [FakePush(host) for host in inventory.nodes]
    wait_for_images(context, inventory.masters)
    assert [push.waited for push in pushes] == [True, True, True, False]


def test_super_admin_conf_goes_before_anything_joins():
    assert PHASES.index(TIDY_MASTERS) == PHASES.index(APPLY_CLUSTER) + 1
    assert PHASES.index(TIDY_MASTERS) < PHASES.index(JOIN_WORKERS)


def test_nothing_runs_and_nothing_is_shown_when_nothing_is_to_be_done():
    inventory = samples.inventory(workers=1)
    observation = samples.converged(inventory)
    wants = samples.wants(inventory, dict(observation.reports))
    steps = decide(samples.cluster_of(inventory), wants, observation).steps
    assert not [phase.title for phase in PHASES if phase.should_run(context_of(inventory, observation, steps=steps))]
    plan = decide(samples.cluster_of(inventory), wants, samples.fresh(inventory))
    described = [line for phase in PHASES for line in phase.describe(context_of(inventory, steps=plan.steps))]
    assert sorted(described) == sorted(plan.describe(*Kind))


def test_haproxy_is_reloaded_for_what_it_reads_and_the_plan_looks_at():
    inventory = samples.inventory(etcd=3, balancers=1)
    observation = samples.converged(inventory)
    wants = samples.wants(inventory, dict(observation.reports))
    found = paths_of(context_of(inventory, observation, wants=wants), inventory.hosts)
    assert set(host_paths.HAPROXY_ETCD_KEYS) < set(found["haproxy"]["m1"])
    assert not set(host_paths.HAPROXY_ETCD_KEYS) & set(found["haproxy"]["lb1"])
    assert found["haproxy"]["e1"] == ()


def knowing(inventory: Inventory, observation: Observation) -> Context:
    """A context that has observed this, with the CA on every master."""
    certificates = {host_paths.ETCD_CA_CRT: samples.identity().etcd.certificate.decode()}
    for host in inventory.masters:
        if host.name in observation.reports:
            observation = samples.altered(observation, host.name, certificates=certificates)
    return context_of(inventory, observation)


def without(observation: Observation, *silent_hosts: str) -> Observation:
    """The same moment, but these hosts did not answer."""
    reports = {name: report for name, report in observation.reports.items() if name not in silent_hosts}
    return Observation(reports=reports, unreachable=dict.fromkeys(silent_hosts, "off"))


@pytest.mark.parametrize("off", ["w1", "m3"])
def test_a_master_is_repaired_whoever_else_is_off(off):
    inventory = samples.inventory(workers=1)
    observation = samples.converged(inventory)
    files = observation.reports["m2"].model_dump()["files"]
    del files["/etc/kubernetes/admin.conf"]
    context = knowing(inventory, without(samples.altered(observation, "m2", files=files), off))
    decide_convergence(context)
    assert context.plan.hosts(Kind.INITIALISE) == ("m2",)


def test_a_new_cluster_is_made_only_while_every_host_answers():
    inventory = samples.inventory(workers=1)
    with pytest.raises(Unreachable, match="w1"):
        decide_convergence(context_of(inventory, without(samples.fresh(inventory), "w1")))


@pytest.mark.parametrize("shape", [{"workers": 1}, {"etcd": 3, "workers": 1}])
def test_while_no_master_answers_nothing_is_waited_for_or_advised_but_to_reach_them(shape):
    inventory = samples.inventory(**shape)
    context = context_of(inventory, without(samples.converged(inventory), "m1", "m2", "m3"))
    with pytest.raises(Unreachable, match="m1, m2, m3 cannot be reached"):
        look(context)
    assert context.executor.clock == 0


CHANGES = {
    "endpoint": ("10.0.0.10:6443", "10.0.0.11:6443"),
    "apiserver_port": ("6443", 7443),
    "pod_network": ("10.244.0.0/16", "10.245.0.0/16"),
    "service_network": ("10.96.0.0/16", "10.97.0.0/16"),
    "dns_domain": ("cluster.local", "other.local"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("exists", [True, False])
def test_what_a_cluster_keeps_cannot_be_changed_once_it_exists(name, exists):
    old, new = CHANGES[name]
    before = samples.inventory()
    observation = samples.converged(before) if exists else samples.fresh(before)
    observation = samples.altered(observation, "m2", settings=lasting_settings(before))
    refuse_changed_settings(knowing(before, observation))
    context = knowing(samples.inventory(**{name: new}), observation)
    if not exists:
        refuse_changed_settings(context)
        return
    with pytest.raises(Refused) as refusal:
        look(context)
    assert refusal.value.why == f"{name} of the cluster is {old}, the inventory has {new}"


def test_a_bundle_of_another_version_is_bad_input(tmp_path):
    other = samples.manifest().model_copy(update={"kubernetes_version": "1.34.0"})
    (tmp_path / "manifest.json").write_text(other.model_dump_json())
    for file in other.everything():
        (tmp_path / file.stored).write_bytes(b"x")
    with pytest.raises(BadInput, match="another Kubernetes version"):
        prepare(samples.inventory(bundle=str(tmp_path)))


@pytest.mark.parametrize(
    ("setting", "what"),
    [("package_directory", "there are no packages"), ("pod_network_manifest", "the pod network's manifest")],
)
def test_a_file_of_the_users_that_is_wrong_is_told_before_any_host_is_contacted(tmp_path, setting, what):
    manifest = samples.manifest()
    (tmp_path / "manifest.json").write_text(manifest.model_dump_json())
    for file in manifest.everything():
        (tmp_path / file.stored).write_bytes(b"x")
    settings = {setting: str(tmp_path / "empty"), "bundle": str(tmp_path), "proxy_mode": "nftables"}
    with pytest.raises(BadInput, match=what):
        prepare(samples.inventory(**settings))


@pytest.mark.parametrize(
    ("plans", "agrees", "changed"),
    [
        ([("a",), ("a",)], True, True),
        ([("a",), ("b",)], True, True),
        ([("a",), ("b",)], False, False),
        ([("a",), ()], True, False),
    ],
)
def test_what_is_done_has_been_agreed_to_as_the_hosts_are_under_the_lock(plans, agrees, changed):
    asked = [lines for lines in dict.fromkeys(plans) if lines]
    context = context_of(samples.inventory(), samples.converged(samples.inventory()))
    decide_next = Look("Decide", lambda context: context.adopt(Decision(headline=plans.pop(0))))
    shown = []

    def confirm(lines):
        shown.append(lines)
        return agrees or len(shown) == 1

    engine.carry_out(engine.Verb("up", "haplane up x", (decide_next, CONFIRM, LOCK, LOOK_AGAIN)), context, confirm)
    assert context.result.changed is changed
    assert shown == asked
    assert [command for command, _ in context.executor.locks] == ["haplane up x"]


@pytest.mark.parametrize(("skipped", "code"), [({}, ExitCode.DONE), ({"m3": "x"}, ExitCode.INCOMPLETE)])
def test_a_host_that_was_skipped_is_not_done(skipped, code):
    outcome = Outcome(changed=True, plan=("x",), skipped=skipped)
    assert outcome.exit_code is code


def odd(observation, name):
    machine = observation.reports[name].model_dump()["machine"] | {"architecture": "sparc"}
    return samples.altered(observation, name, machine=machine)


def unfit(observation, inventory=None):
    """A context whose second look finds the same."""
    context = context_of(inventory or samples.inventory(workers=1), observation, window=Window(100, 102))
    context.executor.now = lambda: datetime.fromtimestamp(101, UTC)
    refuse_unfit_hosts(context)
    return context


def cloned(observation, *names):
    for name in names:
        observation = samples.altered(observation, name, surroundings={"machine_id": "abc"})
    return observation


def test_a_clone_of_a_master_is_left_out_and_keeps_it_from_nothing():
    """w1 was made from m2's image, or reports m2's machine-id: the repair of every master was refused."""
    inventory = samples.inventory(workers=1)
    lost = samples.converged(inventory)
    lost = replace(lost, reports=lost.reports | {"m2": samples.fresh(inventory).reports["m2"]})
    context = unfit(cloned(lost, "m2", "w1"))
    assert "m2, w1 have the same /etc/machine-id" in context.observation.unreachable["w1"]
    assert {"m1", "m2", "m3", "lb1"} <= context.observation.reports.keys()
    with pytest.raises(UnfitHosts, match="m2, m3 have the same"):
        unfit(cloned(lost, "m2", "m3", "w1"))


def test_of_two_workers_that_are_clones_one_stays():
    inventory = samples.inventory(workers=2)
    found = samples.converged(inventory)
    fresh = samples.fresh(inventory).reports
    found = replace(found, reports=found.reports | {name: fresh[name] for name in ("w1", "w2")})
    context = unfit(cloned(found, "w1", "w2"), inventory)
    assert [name for name in ("w1", "w2") if name in context.observation.reports] == ["w1"]


@pytest.mark.parametrize("name", ["w1", "lb1"])
def test_a_worker_or_load_balancer_that_is_not_fit_keeps_no_cluster_from_being_recovered(name):
    inventory = samples.inventory(workers=1)
    context = unfit(odd(samples.converged(inventory), name))
    assert name not in context.observation.reports
    assert "wrong architecture" in context.observation.unreachable[name]
    with pytest.raises(UnfitHosts):
        unfit(odd(samples.fresh(inventory), name))
    with pytest.raises(UnfitHosts, match="do not meet the requirements"):
        unfit(odd(samples.converged(inventory), "m1"))
