"""Which Nodes are deleted: those of hosts that are no nodes any more, and of masters of haplane's that are gone."""

import pytest
import samples

from haplane.domain.decide import decide
from haplane.domain.membership import Act, Change
from haplane.domain.observed import Observation
from haplane.domain.plan import CONTROL_PLANE_LABELS, MADE_LABEL, Kind, Plan
from haplane.domain.status import Certificates, summarise
from haplane.domain.steps.cluster import cluster_steps
from haplane.domain.steps.membership import delete_node_steps, member_steps, not_made_by_haplane
from haplane.observation.health import roster

INVENTORY = samples.inventory(workers=1)
CONVERGED = samples.converged(INVENTORY)
CLUSTER = samples.cluster_of(INVENTORY)


def knowing(*nodes, by=("m1", "m2", "m3"), observation=CONVERGED):
    """These masters report these Nodes besides the cluster's own, or in place of those of the same names."""
    told = CONVERGED.reports["m1"].kubernetes.model_dump()
    named = {node["name"]: node for node in (*told["nodes"], *nodes)}
    for name in by:
        observation = samples.altered(observation, name, kubernetes=told | {"nodes": list(named.values())})
    return observation


def node(name, *, labels=(*CONTROL_PLANE_LABELS, MADE_LABEL), ready=False, address="10.0.0.99"):
    return {
        "name": name, "uid": name, "ready": ready, "labels": sorted(labels), "taints": [], "unschedulable": False,
        "kubelet_version": "v1.35.4", "address": address,
    }  # fmt: skip


def forgotten(observation):
    return [step.host for step in delete_node_steps(CLUSTER, observation)]


@pytest.mark.parametrize(("by", "gone"), [(("m1", "m2", "m3"), ["old"]), (("m1", "m2"), ["old"]), (("m3",), [])])
def test_a_master_that_is_gone_is_one_by_the_word_of_a_majority(by, gone):
    assert forgotten(knowing(node("old"), by=by)) == gone


def test_masters_that_cannot_be_reached_count_in_that_majority():
    observation = knowing(node("old"))
    alone = Observation(reports={"m1": observation.reports["m1"]}, unreachable={"m2": "off", "m3": "off"})
    assert forgotten(alone) == []


def test_a_master_that_is_ready_again_is_not_deleted():
    assert forgotten(knowing(node("old", ready=True), by=("m1", "m2"), observation=knowing(node("old")))) == []


def test_a_node_that_haplane_did_not_make_is_never_deleted_but_named():
    assert forgotten(knowing(node("build-7", labels=CONTROL_PLANE_LABELS, ready=True))) == []
    observation = knowing(node("build-7", labels=CONTROL_PLANE_LABELS))
    assert forgotten(observation) == []
    assert [one.name for one in not_made_by_haplane(CLUSTER, observation.kubernetes())] == ["build-7"]
    status = summarise(
        roster(INVENTORY), observation, endpoint_answers=True, certificates=Certificates(None, None), now=samples.NOW
    )
    assert status.lines == (
        "node build-7: not Ready (not made by haplane; if it is gone for good: kubectl delete node build-7); "
        "fix: on build-7: `journalctl -u kubelet -n 50`",
    )
    assert [(worker.name, bool(worker.note)) for worker in status.workers] == [("build-7", True), ("w1", False)]


def test_nodes_of_the_inventory_get_the_label_by_the_next_up():
    bare = [
        node(one.name, labels=set(one.labels) - {MADE_LABEL}, ready=True, address=one.address)
        for one in CONVERGED.reports["m1"].kubernetes.nodes
    ]
    observation = knowing(*bare)
    steps = cluster_steps(CLUSTER, observation.reports, observation.kubernetes())
    assert [step.host for step in steps if step.kind is Kind.MARK] == ["m1", "m2", "m3"]
    assert [step.host for step in steps if step.kind is Kind.MARK_WORKERS] == ["w1"]


@pytest.mark.parametrize(
    ("address", "ready", "gone"),
    [("10.0.0.22", True, ["m2"]), ("10.0.0.99", True, []), ("10.0.0.99", False, ["m2"])],
)
def test_a_blank_host_has_its_node_deleted_unless_another_host_is_that_node(address, ready, gone):
    """The inventory may lead to the wrong machine, while the node lives on at another address."""
    blank = samples.altered(CONVERGED, "m2", files={}, units={}, kubernetes=None)
    told = node("m2", ready=ready, address=address)
    assert forgotten(knowing(told, by=("m1", "m3"), observation=blank)) == gone


@pytest.mark.parametrize("name", ["m2", "w1"])
@pytest.mark.parametrize("reported", [{}, {"units": {}, "failed": {"files": "late"}}, {"failed": {"units": "late"}}])
def test_no_node_is_deleted_whose_kubelet_runs_or_whose_host_could_not_look(name, reported):
    """Its pods were deleted by force while they ran: kubelet.conf and config.yaml were not in the host's report."""
    for ready in (True, False):
        told = node(name, ready=ready, address=CONVERGED.reports[name].addresses["eth1"][0])
        observation = samples.altered(CONVERGED, name, files={}, **reported)
        assert forgotten(knowing(told, observation=observation)) == []


def lacking(name, *, by, observation=CONVERGED):
    """These masters report the cluster's Nodes without that one."""
    for master in by:
        told = observation.reports[master].kubernetes.model_dump()
        nodes = [node for node in told["nodes"] if node["name"] != name]
        observation = samples.altered(observation, master, kubernetes=told | {"nodes": nodes})
    return observation


def restarted(observation):
    plan = decide(CLUSTER, samples.wants(INVENTORY, dict(observation.reports)), observation)
    return [step.host for step in plan.of(Kind.KUBELET)]


def test_a_kubelet_is_restarted_when_a_majority_of_the_masters_knows_no_node_of_its():
    """Two of three API servers answer, and one of them reports no Nodes: that is no majority of the masters."""
    assert restarted(lacking("w1", by=("m1", "m2"))) == ["w1"]
    out = samples.altered(CONVERGED, "m1", apiserver={"ready": False}, kubernetes=None, workloads=None)
    assert restarted(lacking("w1", by=("m3",), observation=out)) == restarted(out) == []
    assert restarted(lacking("w1", by=("m2", "m3"), observation=out)) == ["w1"]


def test_a_change_of_a_member_that_is_not_the_one_that_was_agreed_to_is_asked_about_again():
    """`promote once it has caught up` was shown, and `remove` is what another look decides on."""
    shown = Plan(tuple(member_steps([Change(Act.PROMOTE, "m3", "10.0.0.23", 3)])))
    for other in (Change(Act.REMOVE, "m3", "10.0.0.23", 3), Change(Act.PROMOTE, "m3", "10.0.0.23", 4)):
        assert Plan(tuple(member_steps([other]))).changes != shown.changes
    why = Change(Act.PROMOTE, "m3", "10.0.0.23", 3, why="it is in the way")
    assert Plan(tuple(member_steps([why]))).changes == shown.changes
