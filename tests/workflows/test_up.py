from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import samples

from haplane.config.model import Host, Inventory
from haplane.desired.hosts import lasting_settings
from haplane.domain.decide import decide
from haplane.domain.observed import Observation
from haplane.domain.plan import HAPROXY_KEYS, Kind
from haplane.domain.progress import silent
from haplane.errors import BadInput, ExitCode, Refused, Unreachable
from haplane.phases.apply_cluster import APPLY_CLUSTER
from haplane.phases.initialise_masters import TIDY_MASTERS
from haplane.phases.join_workers import JOIN_WORKERS
from haplane.phases.observe import ETCD_AUTHORITY, decide_what_to_do, refuse_changed_settings
from haplane.phases.phase import Run
from haplane.phases.push_bundle import FINISH_PUSHES, START_CONTAINER_RUNTIME, wait_for_images
from haplane.phases.start_balancers import paths_of
from haplane.workflows.up import PHASES, Outcome, plan, prepare, up


@pytest.mark.parametrize("kind", Kind)
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


def test_only_the_images_of_the_hosts_concerned_are_waited_for(tmp_path):
    inventory = samples.inventory(workers=1)
    run = Run(inventory, samples.manifest(), tmp_path, silent)
    pushes = [FakePush(host) for host in inventory.nodes]
    run.image_pushes = pushes
    wait_for_images(run, inventory.masters)
    assert [push.waited for push in pushes] == [True, True, True, False]


def test_super_admin_conf_goes_before_anything_joins():
    assert PHASES.index(TIDY_MASTERS) == PHASES.index(APPLY_CLUSTER) + 1
    assert PHASES.index(TIDY_MASTERS) < PHASES.index(JOIN_WORKERS)


def test_nothing_runs_and_nothing_is_shown_when_nothing_is_to_be_done(tmp_path):
    inventory = samples.inventory(workers=1)
    observation = samples.converged(inventory)
    run = Run(inventory, samples.manifest(), tmp_path, silent, observation=observation)
    run.wants = samples.wants(inventory, dict(observation.reports))
    run.plan = decide(samples.cluster_of(inventory), run.wants, observation)
    assert not [phase.title for phase in PHASES if phase.should_run(run)]
    run.plan = decide(samples.cluster_of(inventory), run.wants, samples.fresh(inventory))
    described = [line for phase in PHASES for line in phase.describe(run)]
    assert sorted(described) == sorted(run.plan.describe(*Kind))


def test_haproxy_is_reloaded_for_what_it_reads_and_the_plan_looks_at(tmp_path):
    inventory = samples.inventory(etcd=3, balancers=1)
    observation = samples.converged(inventory)
    run = Run(inventory, samples.manifest(), tmp_path, silent, observation=observation)
    run.wants = samples.wants(inventory, dict(observation.reports))
    found = paths_of(run, inventory.hosts)
    assert set(HAPROXY_KEYS) < set(found["haproxy"]["m1"])
    assert not set(HAPROXY_KEYS) & set(found["haproxy"]["lb1"])
    assert found["haproxy"]["e1"] == ()


def run_of(inventory: Inventory, observation: Observation, tmp_path: Path) -> Run:
    """A run that has observed this, with the authority on every master."""
    run = Run(inventory, samples.manifest(), tmp_path, silent)
    certificates = {ETCD_AUTHORITY: samples.identity().etcd.certificate.decode()}
    for host in run.inventory.masters:
        if host.name in observation.reports:
            observation = samples.altered(observation, host.name, certificates=certificates)
    run.observation = observation
    return run


def without(observation: Observation, *silent_hosts: str) -> Observation:
    """The same moment, but these hosts did not answer."""
    reports = {name: report for name, report in observation.reports.items() if name not in silent_hosts}
    return Observation(reports=reports, unreachable=dict.fromkeys(silent_hosts, "off"))


@pytest.mark.parametrize("off", ["w1", "m3"])
def test_a_master_is_repaired_whoever_else_is_off(tmp_path, off):
    inventory = samples.inventory(workers=1)
    observation = samples.converged(inventory)
    files = observation.reports["m2"].model_dump()["files"]
    del files["/etc/kubernetes/admin.conf"]
    run = run_of(inventory, samples.altered(observation, "m2", files=files), tmp_path)
    run.observation = without(run.observation, off)
    decide_what_to_do(run)
    assert run.plan.hosts(Kind.INITIALISE) == ("m2",)


def test_a_new_cluster_is_made_only_while_every_host_answers(tmp_path):
    inventory = samples.inventory(workers=1)
    run = run_of(inventory, samples.fresh(inventory), tmp_path)
    run.observation = without(run.observation, "w1")
    with pytest.raises(Unreachable, match="w1"):
        decide_what_to_do(run)


@pytest.mark.parametrize("shape", [{"workers": 1}, {"etcd": 3, "workers": 1}])
def test_while_no_master_answers_nothing_is_waited_for_or_advised_but_to_reach_them(tmp_path, monkeypatch, shape):
    inventory = samples.inventory(**shape)
    run = run_of(inventory, without(samples.converged(inventory), "m1", "m2", "m3"), tmp_path)
    monkeypatch.setattr("haplane.workflows.up.observe", lambda run: None)
    monkeypatch.setattr("haplane.phases.observe.time.sleep", lambda seconds: pytest.fail("waited"))
    with pytest.raises(Unreachable, match="m1, m2, m3 cannot be reached"):
        plan(run)


CHANGES = {
    "endpoint": ("10.0.0.10:6443", "10.0.0.11:6443"),
    "apiserver_port": ("6443", 7443),
    "pod_network": ("10.244.0.0/16", "10.245.0.0/16"),
    "service_network": ("10.96.0.0/16", "10.97.0.0/16"),
    "dns_domain": ("cluster.local", "other.local"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("exists", [True, False])
def test_what_a_cluster_keeps_cannot_be_changed_once_it_exists(tmp_path, monkeypatch, name, exists):
    old, new = CHANGES[name]
    before = samples.inventory()
    observation = samples.converged(before) if exists else samples.fresh(before)
    observation = samples.altered(observation, "m2", settings=lasting_settings(before))
    monkeypatch.setattr("haplane.workflows.up.observe", lambda run: None)
    refuse_changed_settings(run_of(before, observation, tmp_path))
    run = run_of(samples.inventory(**{name: new}), observation, tmp_path)
    if not exists:
        refuse_changed_settings(run)
        return
    with pytest.raises(Refused) as refusal:
        plan(run)
    assert refusal.value.why == f"{name} of the cluster is {old}, the inventory says {new}"


def test_a_bundle_of_another_version_is_bad_input(tmp_path):
    other = samples.manifest().model_copy(update={"kubernetes_version": "1.34.0"})
    (tmp_path / "manifest.json").write_text(other.model_dump_json())
    for file in other.everything():
        (tmp_path / file.stored).write_bytes(b"x")
    with pytest.raises(BadInput, match="another Kubernetes version"):
        prepare(samples.inventory(bundle=str(tmp_path)), silent)


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
        prepare(samples.inventory(**settings), silent)


@pytest.mark.parametrize(
    ("plans", "agrees", "changed"),
    [
        ([("a",), ("a",)], True, True),
        ([("a",), ("b",)], True, True),
        ([("a",), ("b",)], False, False),
        ([("a",), ()], True, False),
    ],
)
def test_what_is_done_has_been_agreed_to_as_the_hosts_are_under_the_lock(
    tmp_path, monkeypatch, plans, agrees, changed
):
    asked = [lines for lines in dict.fromkeys(plans) if lines]
    inventory = samples.inventory()
    run = Run(inventory, samples.manifest(), tmp_path, silent, observation=samples.converged(inventory))
    replaced = {
        "prepare": lambda *_: run,
        "plan": lambda _: plans.pop(0),
        "locked": lambda *_: nullcontext(SimpleNamespace(inventory=inventory, breaking_off=nullcontext)),
        "await_nodes": lambda _: None,
        "settled": lambda _: None,
        "confirm_health": lambda _: None,
        "PHASES": (),
    }
    for name, stand_in in replaced.items():
        monkeypatch.setattr(f"haplane.workflows.up.{name}", stand_in)
    shown = []

    def confirm(lines):
        shown.append(lines)
        return agrees or len(shown) == 1

    assert up(inventory, confirm=confirm, dry_run=False, progress=silent).changed is changed
    assert shown == asked


@pytest.mark.parametrize(("skipped", "code"), [((), ExitCode.DONE), (("m3",), ExitCode.INCOMPLETE)])
def test_a_host_that_was_skipped_is_not_done(skipped, code):
    outcome = Outcome(changed=True, plan=("x",), status=None, skipped=skipped, join_command=None)
    assert outcome.exit_code is code
