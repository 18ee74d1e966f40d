"""One host lies, of whatever role: what is decided costs no member, no Node and no data of an honest host."""

from dataclasses import replace
from functools import cache

import pytest
import samples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from liars import CLUSTER, lies
from pydantic import ValidationError

from haplane.desired.hosts import roles_of
from haplane.domain import host_paths
from haplane.domain.assessment import restore_under_way
from haplane.domain.cluster_health import Components, Workloads
from haplane.domain.decide import decide
from haplane.domain.guard import may_restart_etcd
from haplane.domain.members import membership
from haplane.domain.membership import Act, next_change
from haplane.domain.membership_forecast import foresee
from haplane.domain.observed import HostReport, Observation, listed_members
from haplane.domain.plan import Kind
from haplane.domain.restoration import Journal
from haplane.domain.stale_members import stale_etcd, stale_members
from haplane.domain.status import Certificates, summarise
from haplane.domain.steps.snapshots import refuse_unproven
from haplane.domain.trust import believed
from haplane.errors import HaplaneError, Refused
from haplane.observation.health import roster

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
DOWN = {"status": None, "members": None, "reads_through_quorum": False}


def seen(observation, inventory=INVENTORY):
    return believed(roles_of(inventory), observation)


def names(hosts):
    return [host.name for host in hosts]


def changes_of(inventory, observation, *, starting):
    wanted = {host.name: str(host.address) for host in inventory.etcd}
    leaving = {host.name: str(host.address) for host in inventory.leaving}
    return foresee(membership(wanted, leaving, observation.reports, starting=starting))


def everything_of(name):
    """A member's whole report but for what makes it that host, from a host of another role."""
    told = CONVERGED.reports["m1"].model_dump(by_alias=True)
    return {part: told[part] for part in ("etcd", "kubernetes", "apiserver", "settings", "balancer")} | {
        "leftovers": {"journal": journal().model_dump()},
        "workloads": {"missing": ["/api/v1/namespaces/kube-system"]},
        "components": {"conflicts": {"/x": "kube-apiserver"}},
        "snapshots": {"sealed": {"fingerprint": "x", "sha256": "0" * 64, "recipients": ["age1liar"]}},
    }


def journal():
    return Journal(
        stamp="99991231T235959Z", stage="replacing", source="x", database="0" * 64, revision=1, bump=1, uid=""
    )


@pytest.mark.parametrize("liar", ["w1", "lb1"])
def test_a_worker_or_load_balancer_is_not_believed_about_etcd_or_the_api(liar):
    found = seen(samples.altered(CONVERGED, liar, **everything_of(liar))).reports[liar]
    assert not found.etcd.has_data
    assert found.etcd.members is None
    assert found.kubernetes is None
    assert not found.apiserver.ready
    assert found.leftovers.journal is None
    assert found.snapshots is None
    assert found.settings == {}
    assert found.workloads is None
    assert found.components == Components()
    assert found.files == CONVERGED.reports[liar].files, "of itself it is"


def test_a_machine_that_is_only_an_etcd_member_is_not_believed_about_the_api():
    inventory = samples.inventory(etcd=3)
    observation = samples.altered(samples.converged(inventory), "e1", **everything_of("e1"))
    found = seen(observation, inventory).reports["e1"]
    assert found.etcd.has_data
    assert found.leftovers.journal is not None
    assert found.kubernetes is None
    assert not found.balancer.holds_endpoint


def test_a_leaving_host_is_believed_about_what_it_still_is():
    inventory = samples.inventory(masters=4)
    observation = samples.converged(inventory)
    staying = inventory.model_copy(
        update={"masters": inventory.masters[:3], "etcd": inventory.etcd[:3], "leaving": inventory.masters[3:]}
    )
    found = seen(observation, staying).reports["m4"]
    assert found.etcd == observation.reports["m4"].etcd
    assert found.kubernetes == observation.reports["m4"].kubernetes


def listing(*numbers):
    """What a worker claims to know of etcd."""
    members = [{"ID": n, "name": f"m{n}", "peerURLs": [f"https://10.0.0.{20 + n}:2380"]} for n in numbers]
    return {
        "bootstrapped": True, "has_data": True, "reads_through_quorum": True, "members": members,
        "status": {"header": {"member_id": 7, "revision": 10**15}}, "outsiders": {f"{n:x}": True for n in numbers},
    }  # fmt: skip


@pytest.mark.parametrize("liar", ["w1", "lb1", "m3"])
@pytest.mark.parametrize("claimed", [(1, 2), (1,), (3,), ()])
def test_a_forged_member_list_of_a_huge_revision_moves_nobodys_data(liar, claimed):
    observation = seen(samples.altered(CONVERGED, liar, etcd=listing(*claimed)))
    for starting in (True, False):
        assert changes_of(INVENTORY, observation, starting=starting) == ((), None)


def test_a_list_that_contradicts_the_host_itself_is_refused_even_from_a_majority():
    observation = CONVERGED
    for name in ("m1", "m2"):
        told = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        observation = samples.altered(observation, name, etcd=told | {"members": told["members"][:2]})
    changes, blocked = changes_of(INVENTORY, observation, starting=False)
    assert changes == ()
    assert blocked.what.startswith("m3 reports that it is an etcd member with data")
    assert "haplane node repair INVENTORY m3" in blocked.remedy


def test_in_an_outage_the_only_member_that_tells_a_list_is_not_believed():
    """Two members are down with their data, and the third claims to be the whole cluster."""
    observation = seen(samples.altered(outage(), "m3", etcd=listing(3)))
    assert listed_members(observation.reports.values()) == ()
    assert changes_of(INVENTORY, observation, starting=False)[0] == ()


def test_a_member_that_runs_a_cluster_of_its_own_reads_through_that_quorum_only():
    restored = samples.restored_alone(CONVERGED, "m3")
    found = seen(restored).reports
    assert [name for name in ("m1", "m2", "m3") if found[name].etcd.reads_through_quorum] == ["m1", "m2"]
    changes, blocked = changes_of(INVENTORY, seen(restored), starting=False)
    assert changes == ()
    assert blocked is None or "m3" in blocked.what + blocked.why


def forged(name, **changes):
    labels = sorted({*CONVERGED.reports["m1"].kubernetes.nodes[0].labels})
    fields = {"uid": "x", "ready": False, "taints": [], "unschedulable": False, "kubelet_version": ""}
    return {"name": name, "labels": labels, "address": ""} | fields | changes


def knowing(liar, *nodes):
    told = CONVERGED.reports["m1"].kubernetes.model_dump()
    return samples.altered(CONVERGED, liar, kubernetes=told | {"nodes": [*told["nodes"], *nodes]})


def plan_of(observation, inventory=INVENTORY):
    return decide(samples.cluster_of(inventory), samples.wants(inventory, dict(observation.reports)), observation)


@pytest.mark.parametrize("liar", ["w1", "m3"])
def test_a_node_that_one_host_invents_is_not_deleted(liar):
    assert plan_of(seen(knowing(liar, forged("a-worker-that-joined-by-hand")))).hosts(Kind.DELETE_NODE) == ()


@pytest.mark.parametrize("name", ["--all", "-A", "a b", "m1\n", "", "A", "a/b"])
def test_no_node_has_a_name_that_a_command_takes_for_something_else(name):
    with pytest.raises(ValidationError):
        knowing("w1", forged(name))


@pytest.mark.parametrize("told", [{"name": "m1\nExecStartPre=/x"}, {"peerURLs": ["https://x/ --y"]}, {"name": "-x"}])
def test_no_member_has_a_name_that_a_unit_file_takes_for_something_else(told):
    etcd = listing(1)
    etcd["members"][0] |= told
    with pytest.raises(ValidationError):
        samples.altered(CONVERGED, "m1", etcd=etcd)


def status_of(observation, inventory=INVENTORY):
    found = Certificates(None, None)
    return summarise(
        roster(inventory), seen(observation, inventory), endpoint_answers=True, certificates=found, now=samples.NOW
    )


@pytest.mark.parametrize("liar", ["w1", "m3"])
def test_one_host_makes_no_broken_cluster_healthy(liar):
    told = CONVERGED.reports["m1"].kubernetes.model_dump()
    nodes = [node | {"ready": node["name"] != "m2"} for node in told["nodes"]]
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, kubernetes=told | {"nodes": nodes, "coredns_ready": 0})
    assert {one.partition(";")[0] for one in status_of(observation).lines} == {
        "m2: node not Ready", "no CoreDNS pod is ready: pods cannot resolve names",
    }  # fmt: skip
    more = [*told["nodes"], forged("zz", ready=True)]
    lying = samples.altered(observation, liar, kubernetes=told | {"uid": "other", "nodes": more})
    assert status_of(lying).lines == status_of(observation).lines
    assert status_of(lying).cluster.uid == "cluster-1"


def outage(observation=CONVERGED):
    """No member reads through quorum, and all have their data: `up` starts them."""
    for host in INVENTORY.etcd:
        told = observation.reports[host.name].etcd.model_dump(by_alias=True)
        observation = samples.altered(observation, host.name, etcd=told | DOWN)
    return observation


@pytest.mark.parametrize("liar", ["w1", "lb1", "m3"])
def test_the_journal_of_one_host_is_no_restore(liar):
    observation = seen(samples.altered(outage(), liar, leftovers={"journal": journal().model_dump()}))
    assert restore_under_way(names(INVENTORY.etcd), names(INVENTORY.masters), observation.reports) is None


def test_neither_a_journal_nor_staged_keys_of_one_master_hide_that_anothers_keys_differ():
    def held(observation, name, path):
        files = observation.reports[name].model_dump()["files"]
        return samples.altered(observation, name, files=files | {path: {"sha256": "6" * 64, "mode": 0, "user_id": 0}})

    differing = held(CONVERGED, "m2", host_paths.KUBERNETES_CA_CRT)
    for lying in (
        samples.altered(differing, "m3", leftovers={"journal": journal().model_dump()}),
        held(differing, "m3", host_paths.ROTATION_FILES["signing"][0]),
    ):
        assert any("m2: /etc/kubernetes/pki/ca.crt differs from" in str(one) for one in status_of(lying).problems)


@pytest.mark.parametrize("liar", ["w1", "m3"])
def test_one_host_proves_no_recipient(liar):
    observation = CONVERGED
    for name, recipient in (("m1", "age1ours"), ("m2", "age1ours"), (liar, "age1liar")):
        sealed = {"fingerprint": "x", "sha256": "0" * 64, "recipients": [recipient]}
        observation = samples.altered(observation, name, snapshots={"sealed": sealed})
    refuse_unproven(["age1ours"], (), seen(observation).reports)
    with pytest.raises(Refused, match="age1liar"):
        refuse_unproven(["age1liar"], (), seen(observation).reports)


@cache
def whole(masters, etcd, leaving=0):
    """An inventory of that shape and the reports of a cluster as it says; ``leaving`` masters are members still."""
    inventory = samples.inventory(masters=masters + leaving, etcd=etcd, workers=1)
    staying = {"masters": inventory.masters[:masters], "leaving": inventory.masters[masters:]}
    if leaving:
        staying["etcd"] = inventory.etcd[:masters]
    return inventory.model_copy(update=staying), samples.converged(inventory)


@st.composite
def worlds(draw):
    """An honest cluster, some of it down or lost, and one liar: inventory, honest reports, all reports, its name.

    Hosts that leave are down, lost or the liar like all others.
    """
    shape = draw(st.sampled_from([(3, 0), (5, 0), (3, 3), (5, 3), (3, 0, 1), (3, 0, 2)]))
    inventory, honest = whole(*shape)
    truth = honest.reports[inventory.etcd[0].name].etcd.members
    reports = dict(honest.reports)
    for host in (*inventory.etcd, *inventory.leaving):
        state = draw(st.sampled_from(["serves"] * 3 + ["down", "lost"]))
        if state != "serves":
            lost = {"has_data": False, "data_cluster_id": None} if state == "lost" else {"data_cluster_id": CLUSTER}
            etcd = reports[host.name].etcd.model_copy(update=DOWN | lost)
            reports[host.name] = reports[host.name].model_copy(update={"etcd": etcd})
    honest = Observation(reports=reports)
    off = draw(st.lists(st.sampled_from(names(inventory.hosts)), max_size=2, unique=True))
    liar = draw(st.sampled_from(names((*inventory.hosts, *inventory.leaving))))
    reports = {name: report for name, report in honest.reports.items() if name not in off or name == liar}
    lying = draw(lies(honest.reports[liar], truth))
    unreachable = dict.fromkeys({*off} - {liar}, "off")
    return inventory, honest, Observation(reports=reports | {liar: lying}, unreachable=unreachable), liar


def serving(honest, liar, members):
    """Voters that serve; the liar's is given the benefit of the doubt."""
    return {name for name in members if name == liar or honest.reports[name].etcd.reads_through_quorum}


@settings(max_examples=100, deadline=None)
@given(worlds(), st.booleans())
def test_whatever_one_liar_reports_no_honest_member_is_removed_and_no_data_of_one_moved(world, starting):
    inventory, honest, observation, liar = world
    leaving = names(inventory.leaving)
    voters = names(inventory.etcd) + leaving
    changes, _ = changes_of(inventory, seen(observation, inventory), starting=starting)
    for change in changes:
        if change.act in (Act.REMOVE, Act.ADD, Act.LEAVE) and change.name not in (liar, *leaving):
            own = honest.reports[change.name].etcd
            assert not own.has_data, change
            assert not own.reads_through_quorum, change
    first = changes[0] if changes else None
    if first is not None and first.act in (Act.REMOVE, Act.LEAVE) and not starting:
        left = serving(honest, liar, voters) - {first.name}
        assert 2 * len(left) > len(voters) - 1, "the others are a majority without it"


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_whatever_one_liar_reports_nobody_elses_data_is_said_to_be_discarded(world):
    """`up` and `status` advised `node repair` for honest members that were down beside a liar of another cluster."""
    inventory, honest, observation, liar = world
    found = seen(observation, inventory)
    voters = names(inventory.etcd)
    whose = {name for name in voters if name != liar and honest.reports[name].etcd.has_data}
    assert not whose & stale_members([*found.reports], found.reports).keys()
    said = [str(error) for error in stale_etcd(voters, found.reports)]
    said += status_of(observation, inventory).lines
    for name in whose - observation.unreachable.keys():
        assert not any(
            f"node repair {path} {name}`" in line for line in said for path in ("INVENTORY", inventory.path)
        )


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_whatever_one_liar_reports_nobody_is_restarted_who_is_needed(world):
    inventory, honest, observation, liar = world
    reports = seen(observation, inventory).reports
    voters = names(inventory.etcd)
    assume(listed_members(reports.values()))
    for name in voters:
        verdict = may_restart_etcd({other: reports.get(other) for other in voters}, name)
        if verdict.allowed and name != liar and honest.reports[name].etcd.has_data:  # nobody needs a lost one
            assert 2 * len(serving(honest, liar, voters) - {name}) > len(voters), verdict.arithmetic


SPOILT = (
    {},
    {"files": {}},
    {"files": {}, "failed": {"files": "it hangs"}},
    {"files": {}, "units": {}, "failed": {"files": "it hangs"}},
    {"files": {}, "units": {}, "failed": {"units": "it hangs"}},
)
"""What a living host may report of itself that makes it look as if it were no node."""


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_whatever_one_liar_reports_no_living_node_is_deleted(world, data):
    inventory, honest, observation, liar = world
    assume({host.name for host in inventory.masters} - {liar} - set(observation.unreachable))
    spoilt = data.draw(st.sampled_from(sorted({host.name for host in inventory.nodes} & observation.reports.keys())))
    if spoilt != liar:
        observation = samples.altered(observation, spoilt, **data.draw(st.sampled_from(SPOILT)))
    try:
        plan = plan_of(seen(observation, inventory), inventory)
    except HaplaneError:
        return
    deleted = {*plan.hosts(Kind.DELETE_NODE)} - {*names(inventory.leaving)}
    assert deleted <= {liar}
    for name in deleted:
        assert not {"files", "units"} & observation.reports[name].failed.keys()
        assert not observation.reports[name].units["kubelet"].active


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_whatever_one_liar_reports_no_kubelet_of_another_is_restarted_for_its_node_and_no_other_defragmented(world):
    inventory, _, observation, liar = world
    try:
        plan = plan_of(seen(observation, inventory), inventory)
    except HaplaneError:
        return
    assert set(plan.hosts(Kind.KUBELET)) <= {liar}
    assert set(plan.hosts(Kind.SPACE)) <= {liar}


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_whatever_one_liar_reports_a_node_that_is_not_ready_is_a_problem(world):
    inventory, honest, observation, liar = world
    told = honest.reports["m1"].kubernetes.model_dump()
    nodes = [node | {"ready": node["name"] != "w1"} for node in told["nodes"]]
    reports = dict(observation.reports)
    entitled = names((*inventory.masters, *inventory.leaving))
    masters = [name for name in entitled if name in reports and name != liar]
    assume(len(masters) > 1)
    for name in masters:
        altered = samples.altered(Observation(reports=reports), name, kubernetes=told | {"nodes": nodes})
        reports[name] = altered.reports[name]
    status = status_of(replace(observation, reports=reports), inventory)
    assert any(one.startswith("worker w1: not Ready") for one in status.lines)


TROUBLE = {
    "daemon_sets": [{"name": "kube-system/kube-proxy", "desired": 4, "ready": 1}],
    "missing": ["/apis/apps/v1/namespaces/kube-system/deployments/coredns"],
    "webhooks": [{"kind": "mutatingwebhookconfiguration", "name": "w", "webhook": "w.example.org", "why": "gone"}],
}


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_whatever_one_liar_reports_it_hides_nothing_that_the_other_masters_see(world):
    inventory, _, observation, liar = world
    masters = [name for name in names(inventory.masters) if name in observation.reports and name != liar]
    assume(masters)
    told = Workloads.model_validate(samples.workloads(inventory, **TROUBLE))
    seen_by = {name: observation.reports[name].model_copy(update={"workloads": told}) for name in masters}
    status = status_of(replace(observation, reports=observation.reports | seen_by), inventory)
    for words in ("deployments/coredns", "mutatingwebhookconfiguration w refuses"):
        assert any(words in str(one) for one in status.problems), (words, status.problems)


def test_what_is_believed_is_a_report_still():
    for report in seen(CONVERGED).reports.values():
        assert HostReport.model_validate(report.model_dump(by_alias=True)) == report


def test_a_whole_cluster_is_believed_whole():
    wanted = {host.name: str(host.address) for host in INVENTORY.etcd}
    assert next_change(membership(wanted, {}, seen(CONVERGED).reports)) is None
    assert plan_of(seen(CONVERGED)).steps == ()
    assert status_of(CONVERGED).healthy
