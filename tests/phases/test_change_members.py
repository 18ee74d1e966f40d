"""The phase against a cluster in memory: what each order does to it is what etcd would do."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import samples

from haplane.deploys import recipes
from haplane.domain.membership import Membership, after, next_change
from haplane.domain.observed import Observation
from haplane.domain.plan import APISERVER_MANIFEST, Kind, Plan, Step
from haplane.domain.progress import silent
from haplane.errors import HaplaneError, Refused
from haplane.phases import change_members, leave, membership, rolling, take_off
from haplane.phases.change_members import teller
from haplane.phases.membership import current, foresee_changes
from haplane.phases.phase import Run

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)
DOES = {
    recipes.remove_member: "remove",
    recipes.add_learner: "add as a learner",
    recipes.start_learner: "start the learner",
    recipes.promote_learner: "promote once it has caught up",
    recipes.disarm: "take etcd's alarm back",
}


@pytest.fixture
def cluster(monkeypatch):
    """Orders change ``now``; observing changes nothing else. ``orders`` are (recipe, hosts)."""

    class Cluster:
        now: Membership
        orders: list = []

    made = Cluster()
    made.orders = []

    def deploy(hosts, recipe, progress, **arguments):
        inspect.signature(recipe._inner).bind(**arguments)
        if hosts:
            made.orders.append((recipe, [host.name for host in hosts], arguments))
        if recipe in DOES:
            change = next_change(made.now)
            assert change.act.value.startswith(DOES[recipe])
            made.now = after(made.now, change, 77)

    for module in (change_members, rolling, leave, take_off):
        monkeypatch.setattr(module, "deploy", deploy)
    for module in (change_members, rolling, leave):
        monkeypatch.setattr(module, "observe", lambda run: None)
    monkeypatch.setattr(leave, "current", lambda run: made.now)
    monkeypatch.setattr(change_members, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(change_members, "current", lambda run: made.now)
    return made


def run_of(observation, **changes):
    return Run(INVENTORY, samples.manifest(), Path(), silent, observation=observation, **changes)


def lost(name, *, manifest):
    """The member's data are gone; with ``manifest`` the machine is otherwise as it was."""
    etcd = samples.document()["etcd"] | {"bootstrapped": True}
    files = CONVERGED.reports[name].model_dump()["files"]
    if not manifest:
        files.pop(APISERVER_MANIFEST)
    return samples.altered(CONVERGED, name, etcd=etcd, files=files)


def names_of(orders):
    return [recipe.__name__ for recipe, _, _ in orders]


def test_a_machine_made_anew_gets_its_member_and_nothing_else_is_touched(cluster):
    run = run_of(lost("m2", manifest=False))
    cluster.now = current(run)
    change_members.change_members(run)
    assert [(recipe.__name__, hosts) for recipe, hosts, _ in cluster.orders] == [
        ("remove_member", ["m1"]),
        ("set_etcd_data_aside", ["m2"]),
        ("add_learner", ["m1"]),
        ("start_learner", ["m2"]),
        ("promote_learner", ["m1"]),
        ("settle_member", ["m2"]),
    ]
    start = cluster.orders[3][2]["drop_in"]
    assert "INITIAL_CLUSTER_STATE=existing" in start


def test_an_api_server_beside_the_member_is_out_of_service_meanwhile(cluster):
    run = run_of(lost("m2", manifest=True))
    cluster.now = current(run)
    change_members.change_members(run)
    found = names_of(cluster.orders)
    assert found[:4] == ["drain_server", "let_clients_part", "put_apiserver_aside", "remove_member"]
    assert found[-2:] == ["bring_apiserver_back", "restore_server"]
    assert found.count("drain_server") == 1


def test_given_up_data_hand_leadership_over_first_and_are_given_up_once(cluster):
    run = run_of(CONVERGED, condemned=frozenset({"m1"}))
    cluster.now = current(run)
    change_members.change_members(run)
    found = names_of(cluster.orders)
    assert found[:5] == [
        "drain_server",
        "let_clients_part",
        "put_apiserver_aside",
        "hand_over",
        "remove_member",
    ]
    assert cluster.orders[4][1] == ["m2"]
    assert run.condemned == frozenset()


def test_what_becomes_unsafe_on_the_way_is_refused(cluster):
    run = run_of(lost("m2", manifest=False))
    cluster.now = current(run)
    listed = tuple(replace(member, serves=member.name == "m1") for member in cluster.now.listed)
    cluster.now = replace(cluster.now, listed=listed)
    with pytest.raises(Refused) as refusal:
        change_members.change_members(run)
    assert refusal.value.why == "3 voters need 2 healthy; 1 are"
    assert cluster.orders == []


def test_nobody_is_told_who_does_not_serve(cluster):
    run = run_of(Observation(reports={"m2": lost("m2", manifest=False).reports["m2"]}))
    with pytest.raises(HaplaneError, match="no other etcd member serves"):
        teller(run)


def unused(run):
    pytest.fail("nothing is late")


def test_too_few_that_answer_in_time_are_looked_at_again_while_all_run(monkeypatch):
    monkeypatch.setattr(membership.time, "sleep", lambda seconds: None)
    late = CONVERGED
    for name in ("m1", "m2"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
        late = samples.altered(late, name, etcd=etcd)
    run = run_of(
        samples.altered(late, "m3", etcd=lost("m3", manifest=False).reports["m3"].etcd.model_dump(by_alias=True))
    )

    def answer_now(run):
        run.observation = CONVERGED

    assert foresee_changes(run, answer_now) == ()
    stopped = {"etcd": {"active": False, "enabled": True, "needs_reload": False}}
    run.observation = samples.altered(late, "m3", **stopped_member(stopped))
    with pytest.raises(Refused):
        foresee_changes(run, unused)


def stopped_member(units):
    return {"units": units, "etcd": lost("m3", manifest=False).reports["m3"].etcd.model_dump(by_alias=True)}


def test_only_damaged_data_are_given_up():
    for repaired in (None, "m1", "m2", "m3"):
        run = run_of(CONVERGED, repaired=repaired)
        assert foresee_changes(run, unused) == ()
    etcd = CONVERGED.reports["m2"].etcd.model_dump(by_alias=True)
    etcd |= {"status": None, "reads_through_quorum": False, "complaint": "panic: page 3"}
    damaged = samples.altered(CONVERGED, "m2", etcd=etcd)
    assert foresee_changes(run_of(damaged), unused) == ()
    assert [change.name for change in foresee_changes(run_of(damaged, repaired="m2"), unused)] == ["m2"] * 4
    assert foresee_changes(run_of(damaged, repaired="m1"), unused) == ()


def leaving(name):
    inventory = INVENTORY.model_copy(
        update={
            "masters": tuple(host for host in INVENTORY.masters if host.name != name),
            "etcd": tuple(host for host in INVENTORY.etcd if host.name != name),
            "leaving": (INVENTORY.host(name),),
        }
    )
    steps = (Step(Kind.LEAVE, name, "leaves"),)
    return Run(inventory, samples.manifest(), Path(), silent, observation=CONVERGED, plan=Plan(steps))


@pytest.mark.parametrize("name", ["m1", "m3"])
def test_who_leaves_serves_until_the_others_have_its_clients_and_is_clean_in_the_end(cluster, name):
    run = leaving(name)
    cluster.now = current(run)
    leave.leave(run)
    assert names_of(cluster.orders) == [
        "drain_node", "stop_control_plane", "hand_over", "remove_member", "forget_node", "reset_host",
    ]  # fmt: skip
    others = [hosts for recipe, hosts, _ in cluster.orders if recipe in (recipes.drain_node, recipes.remove_member)]
    assert [name] not in others


def test_one_that_is_off_is_only_forgotten(cluster):
    run = leaving("m3")
    reports = {name: report for name, report in CONVERGED.reports.items() if name != "m3"}
    run.observation = Observation(reports=reports, unreachable={"m3": "off"})
    cluster.now = replace(current(run), listed=current(run).listed[:2])
    leave.leave(run)
    assert names_of(cluster.orders) == ["forget_node"]
