"""One host that lies, or is broken, is named with the command that goes on without it."""

from functools import partial

import pytest
import samples
from contexts import context_of, write_bundle
from fake_cluster import FakeCluster, converged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liars import lies
from statuses import status_of

from haplane.context.phase import Look
from haplane.desired.hosts import lasting_settings
from haplane.domain.assessment import RecoveryAction
from haplane.domain.clocks import Window
from haplane.domain.observed import HostReport, Observation
from haplane.domain.progress import silent
from haplane.errors import HaplaneError, Locked, Refused, UnfitHosts
from haplane.observation import decide
from haplane.recovery.request import RestoreRequest
from haplane.workflows.leave_out import StillHosts, offer
from haplane.workflows.restore import restore
from haplane.workflows.status import status
from haplane.workflows.up import LOOKS, up


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    """With a bundle; a new cluster's keys are those that samples know."""
    monkeypatch.setattr(decide.ClusterIdentity, "generate", lambda *_: samples.identity())
    write_bundle(tmp_path)
    return samples.inventory(workers=1, bundle=str(tmp_path), proxy_mode="nftables")


BEGAN = samples.NOW.timestamp()


def moved(reports):
    """As of the tests' time."""
    times = {"started_at": BEGAN, "finished_at": BEGAN + 1}
    return {name: report.model_copy(update=times) for name, report in reports.items()}


def run_up(cluster, **asked):
    given = {"confirm": lambda _: True, "dry_run": False, "progress": cluster.progress, "executor": cluster, **asked}
    return up(cluster.inventory, **given)


def blocked(cluster, **asked):
    with pytest.raises(HaplaneError) as error:
        run_up(cluster, **asked)
    return error.value


def with_settings(reports, given, **lied):
    for host in given.masters:
        reports[host.name]["settings"] = lasting_settings(given)
    for name, changes in lied.items():
        reports[name]["settings"] = reports[name]["settings"] | changes
    return reports


def test_the_settings_of_one_master_stop_no_work_on_the_others(inventory):
    cluster = FakeCluster(inventory, with_settings(converged(inventory), inventory, m1={"dns_domain": "evil"}))
    said = []
    cluster.progress = lambda subject, message, fraction=None: said.append((subject, message))
    outcome = run_up(cluster)
    assert outcome.skipped.keys() == {"m1"}
    why = "left out: most other masters contradict it: "
    why += "dns_domain of the cluster is evil, the inventory has cluster.local"
    assert ("m1", why) in said


def test_what_half_of_the_masters_contradict_is_refused_and_each_can_be_left_out(inventory):
    reports = with_settings(converged(inventory), inventory, m1={"dns_domain": "evil"})
    cluster = FakeCluster(inventory, reports)
    cluster.off["m2"] = "power cut"
    error = blocked(cluster)
    assert isinstance(error, Refused)
    assert error.where.endswith("; m1")
    assert "--without" not in error.next_step, "without a majority nothing is changed"
    cluster.off = {}
    error = blocked(cluster, repaired="m1")
    assert "--without" not in error.next_step, "it is what the run is about"


def test_a_host_that_was_left_out_is_not_touched_and_not_believed(inventory):
    reports = converged(inventory)
    reports["m2"]["machine"]["swap_bytes"] = 1
    error = blocked(FakeCluster(inventory, reports))
    assert "go on without m2: `haplane up inventories/test.py --without m2`" in str(error)
    cluster = FakeCluster(inventory, reports)
    outcome = run_up(cluster, without=("m2",))
    assert outcome.skipped == {"m2": "left out: by --without"}
    assert not any("m2" in hosts for _, hosts, _ in cluster.deployed)
    assert not any("m2" in hosts for _, hosts in cluster.locks)


def test_the_first_masters_word_calls_no_other_member_a_foreign_one(inventory):
    """Its CA was compared with the first master's: a lie there advised to reset the honest ones."""
    reports = converged(inventory)
    for path in list(reports["m1"]["files"]):
        if path.endswith("ca.crt"):
            reports["m1"]["files"][path] = reports["m1"]["files"][path] | {"sha256": "6" * 64}
    error = blocked(FakeCluster(inventory, reports))
    assert "reset INVENTORY m2" not in str(error)
    assert "reset INVENTORY m3" not in str(error)
    assert "--without m1`" in str(error)


def apart(inventory):
    """m1 and m2 are down with their data, and m3 serves a cluster of another ID."""
    reports = converged(inventory)
    cluster = reports["m1"]["etcd"]["status"]["header"]["cluster_id"]
    for name in ("m1", "m2"):
        down = {"status": None, "members": None, "reads_through_quorum": False, "data_cluster_id": cluster}
        reports[name]["etcd"] |= down
        reports[name]["units"]["etcd"]["active"] = False
        reports[name] |= {"apiserver": {"ready": False}, "kubernetes": None, "workloads": None}
    reports["m3"]["etcd"]["status"]["header"]["cluster_id"] = cluster + 1
    reports["m3"]["etcd"]["data_cluster_id"] = cluster + 1
    return moved({name: HostReport.model_validate(one) for name, one in reports.items()})


@pytest.mark.parametrize("repaired", [None, "m1", "m3"])
def test_one_member_that_serves_another_cluster_does_not_cost_those_that_are_down_their_data(inventory, repaired):
    """`up` advised `node repair` for both: the intact majority of the cluster was to be discarded."""
    reports = apart(inventory)
    asked = {"confirm": lambda _: True, "dry_run": True, "progress": silent}
    still = partial(StillHosts, Observation(reports=reports), Window(BEGAN, BEGAN + 2), FakeCluster(inventory))
    with pytest.raises(HaplaneError) as error:
        up(inventory, executor=still(), repaired=repaired, **asked)
    assert "node repair INVENTORY" not in str(error.value)
    assert "m3 responds as cluster" in str(error.value)
    assert "`haplane up INVENTORY --without m3`" in str(error.value)
    outcome = up(inventory, executor=still(), without=("m3",), **asked)
    assert any("m1" in line and "etcd" in line for line in map(str, outcome.plan)), outcome.plan
    status = status_of(inventory, Observation(reports=reports))
    assert not any("node repair" in line for line in status.lines)
    assert status.recovery.action is RecoveryAction.START
    assert status.recovery.members == ("m1", "m2")


def test_status_tells_that_up_would_refuse_and_how_to_go_on(inventory):
    """Its problems name `haplane up`, which would then name another command."""
    reports = converged(inventory)
    reports["m2"]["machine"]["swap_bytes"] = 1
    cluster = FakeCluster(inventory, reports)
    refused = blocked(cluster)
    notes = [note for note in status(inventory, silent, executor=cluster).notes if "would refuse" in note]
    assert notes[-1].endswith(f"or go on without m2: `haplane up {inventory.path} --without m2`")
    assert refused.problems[0].what in notes[0]


def test_a_lock_that_one_host_does_not_give_is_worked_around(inventory):
    context = context_of(
        inventory, samples.converged(inventory), executor=FakeCluster(inventory, converged(inventory))
    )
    LOOKS[0].carry_out(context)
    error = Locked("another run is changing this cluster; nothing was changed", where="m3", next_step="wait")
    offer(error, context, LOOKS[:1], "haplane up i")
    assert error.next_step == "wait; or go on without m3: `haplane up i --without m3`"


def planned(inventory, reports, **asked):
    """What `up` would do about these reports. Raises what it refuses."""
    hosts = StillHosts(Observation(reports=moved(reports)), Window(BEGAN, BEGAN + 2), FakeCluster(inventory))
    hosts.endpoint_is_ready = lambda _: True
    return up(inventory, confirm=lambda _: True, dry_run=True, progress=silent, executor=hosts, **asked)


def stopped(reports, name):
    """A member that is down with its data, and its master with it."""
    document = reports[name]
    down = {"status": None, "members": None, "reads_through_quorum": False}
    document["etcd"] |= down
    document["units"]["etcd"]["active"] = False
    document |= {"apiserver": {"ready": False}, "kubernetes": None, "workloads": None}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), leaving=st.booleans())
def test_whatever_one_liar_reports_up_goes_on_or_names_it_and_how_to_go_on_without_it(inventory, data, leaving):
    """Also while honest members are down, where `up` would start them without the liar."""
    reports = converged(inventory)
    if leaving:
        more = samples.inventory(masters=4, workers=1, bundle=inventory.cluster.bundle, proxy_mode="nftables")
        reports = converged(more)
        staying = {"masters": more.masters[:3], "etcd": more.etcd[:3], "leaving": more.masters[3:]}
        inventory = more.model_copy(update=staying)
    truth = HostReport.model_validate(reports["m1"]).etcd.members
    liar = "m4" if leaving else data.draw(st.sampled_from([host.name for host in inventory.hosts]))
    for name in {"m1", "m2", "m3"} - {liar}:
        if data.draw(st.booleans()):
            stopped(reports, name)
    honest = {name: HostReport.model_validate(one) for name, one in reports.items()}
    lying = data.draw(lies(honest[liar], truth))
    try:
        planned(inventory, honest | {liar: lying})
    except HaplaneError as error:
        try:
            planned(inventory, honest | {liar: lying}, without=(liar,))
        except HaplaneError:
            return  # what is broken without it keeps `up` from going on
        assert f"--without {liar}`" in str(error), str(error)


def test_a_master_that_lies_keeps_no_restore_from_going_on(inventory):
    reports = {name: report.model_dump(by_alias=True) for name, report in samples.fresh(inventory).reports.items()}
    reports["m3"]["machine"]["swap_bytes"] = 1
    cluster = FakeCluster(inventory, reports)
    given = {"confirm": lambda _: True, "progress": silent, "executor": cluster, "dry_run": True}
    with pytest.raises(UnfitHosts) as error:
        restore(inventory, RestoreRequest(snapshot="latest"), **given)
    way = "or go on without m3: `haplane restore inventories/test.py --snapshot latest --without m3`"
    assert error.value.next_step == way
    with pytest.raises(HaplaneError) as error:
        restore(inventory, RestoreRequest(snapshot="latest", without=("m3",)), **given)
    assert not isinstance(error.value, UnfitHosts)


def test_a_look_that_reads_files_is_repeated_as_well_and_hides_no_error(inventory):
    """It ended with an AttributeError, in place of what had stopped the run."""
    cluster = FakeCluster(inventory, converged(inventory))
    context = context_of(inventory, samples.converged(inventory), executor=cluster)

    def refuse_what_m3_has(context):
        [master] = [host for host in context.reachable(context.inventory.masters)][-1:]
        context.executor.read_files(master, ["/etc/hosts"])
        if master.name == "m3":
            raise Refused("no", where="m3")

    looks = (LOOKS[0], Look("Refuse", refuse_what_m3_has))
    LOOKS[0].carry_out(context)
    error = Refused("no", where="m3", next_step="wait")
    offer(error, context, looks, "haplane up i")
    assert error.next_step == "wait; or go on without m3: `haplane up i --without m3`"
