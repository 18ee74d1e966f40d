"""The phase against a cluster in memory: what each order does to it is what etcd would do."""

import json
from dataclasses import replace

import pytest
import samples
import zoo
from contexts import FakeExecutor, context_of, see

from haplane.context.decision import Decision
from haplane.deploys import etcd_recipes
from haplane.desired.hosts import roles_of
from haplane.domain import host_paths
from haplane.domain.membership import Act, next_change
from haplane.domain.membership_forecast import after
from haplane.domain.observed import Observation
from haplane.domain.plan import Kind, Step
from haplane.domain.trust import believed
from haplane.errors import HaplaneError, Refused
from haplane.observation.membership import any_healthy_voter, current, foresee_changes
from haplane.phases.converge import change_members, decommission

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)
DOES = {
    etcd_recipes.remove_member: "remove",
    etcd_recipes.add_learner: "add as a learner",
    etcd_recipes.start_learner: "start the learner",
    etcd_recipes.promote_learner: "promote once it has caught up",
    etcd_recipes.clear_alarms: "disarm etcd's alarm",
}


class Members(FakeExecutor):
    """Orders change ``now``; hosts report what they did at first."""

    def __init__(self, observation):
        super().__init__([observation])
        self.members = None

    def deploy(self, hosts, recipe, **arguments):
        super().deploy(hosts, recipe, **arguments)
        if recipe in DOES:
            change = next_change(self.members)
            assert change.act.value.startswith(DOES[recipe])
            self.members = after(self.members, change, 77)

    def run(self, host, *command, deadline_seconds=60):
        self.deployed.append((command[5], [host.name], {}))
        nodes = command[6:] if command[5] == "look" else CONVERGED.reports
        return json.dumps({"pods": [], "nodes": [zoo.node(name) for name in nodes]}).encode()

    def sleep(self, seconds):
        self.clock += 60 * seconds


@pytest.fixture
def cluster(monkeypatch):
    """The members as orders leave them, in place of what hosts report of them."""

    def made(context):
        context.executor.members = current(context)
        for module in (change_members, decommission):
            monkeypatch.setattr(module, "current", lambda context: context.executor.members)
        return context

    return made


def context_with(observation, *, discard=(), **asked):
    decision = Decision(data_to_discard=frozenset(discard))
    return context_of(INVENTORY, observation, executor=Members(observation), decision=decision, **asked)


def lost(name, *, manifest):
    """The member's data are gone; with ``manifest`` the machine is otherwise as it was."""
    etcd = samples.document()["etcd"] | {"bootstrapped": True}
    files = CONVERGED.reports[name].model_dump()["files"]
    if not manifest:
        files.pop(host_paths.APISERVER_MANIFEST)
    return samples.altered(CONVERGED, name, etcd=etcd, files=files)


def test_a_machine_made_anew_gets_its_member_and_nothing_else_is_touched(cluster):
    context = cluster(context_with(lost("m2", manifest=False)))
    change_members.change_members(context)
    assert [(name, hosts) for name, hosts, _ in context.executor.deployed] == [
        ("remove_member", ["m1"]),
        ("move_etcd_data", ["m2"]),
        ("add_learner", ["m1"]),
        ("start_learner", ["m2"]),
        ("promote_learner", ["m1"]),
        ("forbid_bootstrap", ["m2"]),
    ]
    start = context.executor.deployed[3][2]["drop_in"]
    assert "INITIAL_CLUSTER_STATE=existing" in start


def test_an_api_server_beside_the_member_is_out_of_service_meanwhile(cluster):
    context = cluster(context_with(lost("m2", manifest=True)))
    change_members.change_members(context)
    found = context.executor.recipes
    assert found[:4] == ["drain_server", "wait_for_connection_drain", "take_out_control_plane", "remove_member"]
    assert found[-2:] == ["put_back_control_plane", "undrain_server"]
    assert found.count("drain_server") == 1


def test_given_up_data_hand_leadership_over_first_and_are_given_up_once(cluster):
    context = cluster(context_with(CONVERGED, discard=["m1"]))
    change_members.change_members(context)
    found = context.executor.recipes
    assert found[:5] == [
        "drain_server",
        "wait_for_connection_drain",
        "take_out_control_plane",
        "hand_over",
        "remove_member",
    ]
    assert context.executor.deployed[4][1] == ["m2"]
    assert context.decision.data_to_discard == frozenset()


def test_what_becomes_unsafe_on_the_way_is_refused(cluster):
    context = cluster(context_with(lost("m2", manifest=False)))
    members = context.executor.members
    listed = tuple(replace(member, serves=member.name == "m1") for member in members.listed)
    context.executor.members = replace(members, listed=listed)
    with pytest.raises(Refused) as refusal:
        change_members.change_members(context)
    assert refusal.value.why == "3 voters need 2 healthy; 1 are"
    assert context.executor.deployed == []


def test_nobody_is_told_who_does_not_serve(cluster):
    context = context_with(Observation(reports={"m2": lost("m2", manifest=False).reports["m2"]}))
    with pytest.raises(HaplaneError, match="no other etcd member serves"):
        any_healthy_voter(context)


def test_too_few_that_answer_in_time_are_looked_at_again_while_all_run():
    late = CONVERGED
    for name in ("m1", "m2"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
        late = samples.altered(late, name, etcd=etcd)
    down = lost("m3", manifest=False).reports["m3"].etcd.model_dump(by_alias=True)
    context = context_of(INVENTORY, samples.altered(late, "m3", etcd=down), executor=FakeExecutor([CONVERGED]))
    assert foresee_changes(context) == ()
    assert context.executor.clock == 1
    stopped = {"etcd": {"active": False, "enabled": True, "needs_reload": False}}
    context = context_with(samples.altered(late, "m3", **stopped_member(stopped)))
    with pytest.raises(Refused):
        foresee_changes(context)
    assert context.executor.clock == 0


def stopped_member(units):
    return {"units": units, "etcd": lost("m3", manifest=False).reports["m3"].etcd.model_dump(by_alias=True)}


def test_only_damaged_data_are_given_up():
    for repaired in (None, "m1", "m2", "m3"):
        context = context_with(CONVERGED, repaired=repaired)
        assert foresee_changes(context) == ()
    etcd = CONVERGED.reports["m2"].etcd.model_dump(by_alias=True)
    etcd |= {"status": None, "reads_through_quorum": False, "last_words": ["panic: page 3: multiple references"]}
    damaged = samples.altered(CONVERGED, "m2", etcd=etcd)
    assert foresee_changes(context_with(damaged)) == ()
    assert [change.name for change in foresee_changes(context_with(damaged, repaired="m2"))] == ["m2"] * 4
    assert foresee_changes(context_with(damaged, repaired="m1")) == ()


def test_a_member_that_runs_a_cluster_of_its_own_is_repaired_through_the_others():
    restored = believed(roles_of(INVENTORY), samples.restored_alone(CONVERGED, "m1"))
    assert foresee_changes(context_with(restored)) == ()
    context = context_with(restored, repaired="m1")
    assert [(one.act, one.name) for one in foresee_changes(context)][:2] == [(Act.REMOVE, "m1"), (Act.ADD, "m1")]
    assert any_healthy_voter(context_with(restored)).name == "m2"


def test_a_member_that_is_listed_where_it_is_not_is_neither_removed_nor_called_a_strangers():
    """A wrong URL in `etcdctl member update`: it was to be removed, and then "reset", data and all."""
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        urls = {"peerURLs": ["https://192.0.2.9:2380"]}
        etcd["members"] = [one | (urls if one["name"] == "m2" else {}) for one in etcd["members"]]
        observation = samples.altered(observation, name, etcd=etcd | {"outsiders": {"2": False}})
    with pytest.raises(Refused, match="etcd lists its member m2 at an address that is not m2's") as refused:
        foresee_changes(context_with(observation))
    assert "member update 2 --peer-urls=https://10.0.0.22:2380`, then run again" in str(refused.value)


NO_SPACE = '{"level":"fatal","msg":"failed to commit tx","error":"write db: no space left on device"}'
BROKEN = "panic: page 3: multiple references"


def down(name, words, free_mib, **changes):
    """A member that ends with these words, on a disk with so much room."""
    etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
    etcd |= {"status": None, "members": None, "reads_through_quorum": False, "last_words": [words], **changes}
    return samples.altered(CONVERGED, name, etcd=etcd, leftovers={"etcd_free_bytes": free_mib << 20})


def test_a_member_whose_data_may_be_intact_is_never_given_up():
    """A full disk is no damage: removed, it could not even come back on that disk."""
    context = context_with(down("m3", NO_SPACE, 0), repaired="m3")
    with pytest.raises(Refused) as refused:
        foresee_changes(context)
    assert "m3" in refused.value.what
    assert "intact" in refused.value.what
    assert "0 MiB free at /var/lib/etcd, 185 MiB needed" in refused.value.why
    assert refused.value.next_step.startswith("make room on m3")
    assert foresee_changes(context_with(down("m3", NO_SPACE, 0))) == ()
    assert foresee_changes(context_with(down("m3", NO_SPACE, 500), repaired="m3")) == ()


@pytest.mark.parametrize(
    "words",
    [
        '{"level":"fatal","msg":"discovery failed","error":"listen tcp: bind: address already in use"}',
        '{"level":"fatal","msg":"discovery failed","error":"open .touch: read-only file system"}',
        "panic: something that nobody has seen",
    ],
)
def test_what_haplane_cannot_fix_is_told_and_not_repaired(words):
    with pytest.raises(Refused):
        foresee_changes(context_with(down("m3", words, 5000), repaired="m3"))


def test_a_member_whose_disk_is_not_mounted_has_not_lost_its_data():
    """Its directory is empty, and its data are on a disk that was late or failed to mount."""
    found = down("m3", "", 5000, has_data=False)
    leftovers = {"etcd_free_bytes": 5000 << 20, "etcd_unmounted": True}
    found = samples.altered(found, "m3", leftovers=leftovers)
    for repaired in ("m3", None):
        with pytest.raises(Refused) as refused:
            foresee_changes(context_with(found, repaired=repaired))
        assert "not mounted" in refused.value.why


@pytest.mark.parametrize(("words", "changes"), [(BROKEN, {}), ("", {"has_data": False})])
def test_no_member_is_removed_or_added_for_a_disk_without_room(words, changes):
    for repaired in ("m3", None) if changes else ("m3",):
        with pytest.raises(Refused) as refused:
            foresee_changes(context_with(down("m3", words, 100, **changes), repaired=repaired))
        assert (refused.value.where, refused.value.why) == (
            "m3: /var/lib/etcd",
            "100 MiB free at /var/lib/etcd, 185 MiB needed for a member's data and log",
        )
        assert len(foresee_changes(context_with(down("m3", words, 200, **changes), repaired=repaired))) == 4


def leaving(name):
    inventory = INVENTORY.model_copy(
        update={
            "masters": tuple(host for host in INVENTORY.masters if host.name != name),
            "etcd": tuple(host for host in INVENTORY.etcd if host.name != name),
            "leaving": (INVENTORY.host(name),),
        }
    )
    steps = (Step(Kind.DECOMMISSION, name, "leaves"),)
    return context_of(inventory, CONVERGED, steps=steps, executor=Members(CONVERGED))


@pytest.mark.parametrize("name", ["m1", "m3"])
def test_who_leaves_serves_until_the_others_have_its_clients_and_is_clean_in_the_end(cluster, name):
    context = cluster(leaving(name))
    decommission.decommission(context)
    assert list(dict.fromkeys(context.executor.recipes)) == [  # several masters are asked
        "cordon", "read", "look", "stop_control_plane", "hand_over", "remove_member", "delete_node", "reset_host",
    ]  # fmt: skip
    others = [hosts for one, hosts, _ in context.executor.deployed if one in ("cordon", "remove_member")]
    assert [name] not in others


def test_one_that_is_off_is_only_forgotten(cluster):
    context = leaving("m3")
    reports = {name: report for name, report in CONVERGED.reports.items() if name != "m3"}
    seen = Observation(reports=reports, unreachable={"m3": "off"})
    see(context, seen)
    context.executor.looks = [seen]
    cluster(context)
    members = context.executor.members
    context.executor.members = replace(members, listed=members.listed[:2])
    with pytest.raises(Refused, match="m3: a master that is Ready"):
        decommission.decommission(context)
    for name in ("m1", "m2"):
        told = CONVERGED.reports[name].kubernetes.model_dump()
        down = told | {"nodes": [node | {"ready": node["name"] != "m3"} for node in told["nodes"]]}
        seen = samples.altered(seen, name, kubernetes=down)
    context.executor.looks = [Observation(reports=seen.reports, unreachable={"m3": "off"})]
    decommission.decommission(context)
    assert context.executor.recipes == ["delete_node"]


def test_a_member_that_was_taken_off_the_list_with_its_data_is_added_again_only_by_name():
    """An interrupted repair: m2 is removed, and its data are still there."""
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        down = {"status": None, "members": None, "reads_through_quorum": False}
        told = [member for member in etcd["members"] if member["name"] != "m2"]
        observation = samples.altered(observation, name, etcd=etcd | (down if name == "m2" else {"members": told}))
    with pytest.raises(Refused, match="m2 reports that it is an etcd member") as refusal:
        foresee_changes(context_with(observation))
    assert "haplane node repair INVENTORY m2" in refusal.value.next_step
    changes = foresee_changes(context_with(observation, repaired="m2"))
    assert [(change.act, change.name) for change in changes][0] == (Act.ADD, "m2")
