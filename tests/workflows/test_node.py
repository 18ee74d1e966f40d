"""Nodes out of service and back, from the first look to the last, on hosts in memory."""

import json
from datetime import timedelta

import pytest
import samples
import zoo
from contexts import write_bundle
from serving_nodes import APP, WEB, Nodes, replicas

from haplane.context.request import NodeRequest
from haplane.domain.progress import silent
from haplane.errors import BadInput, DeadlinePassed, ExitCode, HaplaneError, Refused, Unreachable
from haplane.phases.node.remove import without
from haplane.workflows.node import node
from haplane.workflows.up import up


@pytest.fixture
def inventory(tmp_path):
    return bundled(tmp_path)


def bundled(tmp_path, **asked):
    write_bundle(tmp_path)
    return samples.inventory(**{"workers": 2, **asked}, bundle=str(tmp_path), proxy_mode="nftables")


def carry_out(cluster, verb, *names, dry_run=False, **asked):
    given = {"confirm": lambda _: True, "progress": silent, "executor": cluster, "dry_run": dry_run}
    return node(cluster.inventory, verb, names, NodeRequest(**asked), **given)


def test_a_drain_ends_once_the_pods_are_gone_and_leaves_what_stays(inventory):
    cluster = Nodes(inventory, replicas("w1", "w2"))
    done = carry_out(cluster, "drain", "w1")
    assert [one["metadata"]["name"] for one in cluster.pods if one["spec"]["nodeName"] == "w1"] == ["net-w1"]
    assert cluster.cordoned() == ["w1"]
    assert done.plan[:2] == ("w1: 1 moved: default/web-w1", "w1: 1 stays: default/net-w1")


@pytest.mark.parametrize("liar", ["m1", "m3"])
def test_a_master_that_reports_no_pods_hides_none_from_a_drain(inventory, liar):
    """Its API server answered without pods, and the drain cost nothing, and had ended before it began."""
    cluster = lying(Nodes(inventory, [zoo.pod("build-7", on="w1")]), liar, [])
    with pytest.raises(Refused, match="would be lost"):
        carry_out(cluster, "drain", "w1")
    carry_out(cluster, "drain", "w1", force=True)
    assert [one["metadata"]["name"] for one in cluster.pods if one["spec"]["nodeName"] == "w1"] == ["net-w1"]


def test_a_master_that_reports_pods_that_nobody_else_knows_keeps_no_node_from_being_drained(inventory):
    cluster = lying(Nodes(inventory, replicas("w1", "w2")), "m1", [zoo.pod("ghost", on="w1")])
    assert carry_out(cluster, "drain", "w1").plan[:2] == (
        "w1: 1 moved: default/web-w1",
        "w1: 1 stays: default/net-w1",
    )


def lying(cluster, liar, pods):
    """That master's API server reports these pods only."""
    honest = cluster.run

    def run(host, *command, **how):
        answer = honest(host, *command, **how)
        lies = host.name == liar and command[0] == "python3" and command[5] in ("read", "look")
        return json.dumps(json.loads(answer) | {"pods": pods}).encode() if lies else answer

    cluster.run = run
    return cluster


def test_a_deadlock_is_refused_before_anything_is_locked_or_changed(inventory):
    never = zoo.budget("web", {"app": "web"}, allowed=0, healthy=2, desired=2, expected=2)
    cluster = Nodes(inventory, replicas("w1", "w2"), budgets=[never])
    with pytest.raises(Refused) as refused:
        carry_out(cluster, "drain", "w1", force=True)
    assert "PodDisruptionBudget default/web can never be met" in refused.value.why
    assert refused.value.where == "default/web-w1"
    assert cluster.locks == cluster.log == cluster.cordoned() == []


def test_a_loss_has_to_be_agreed_to(inventory):
    cluster = Nodes(inventory, [zoo.pod("build-7", on="w1")])
    with pytest.raises(Refused, match="would be lost"):
        carry_out(cluster, "drain", "w1")
    assert cluster.cordoned() == []
    done = carry_out(cluster, "drain", "w1", force=True)
    assert done.plan[0] == "w1: default/build-7: lost (no controller replaces it)"


@pytest.mark.parametrize("verb", ["reboot", "patch", "remove"])
def test_a_host_that_is_leaving_is_neither_ignored_nor_rebooted(inventory, verb):
    [pod] = replicas("w1")
    m4 = samples.inventory(masters=4).masters[3]
    cluster = Nodes(inventory.model_copy(update={"leaving": (m4,)}), [pod])
    with pytest.raises(BadInput, match="m4: in the group leaving"):
        carry_out(cluster, verb, "w1", "m4")
    assert cluster.locks == cluster.log == []


def test_a_deadline_names_the_pod_and_leaves_the_node_cordoned(inventory):
    [pod, other] = replicas("w1", "w2")
    cluster = Nodes(inventory, [pod, other])
    cluster.stuck.add(pod["metadata"]["uid"])
    with pytest.raises(DeadlinePassed) as late:
        carry_out(cluster, "drain", "w1", drain_seconds=30)
    assert "default/web-w1: HTTP 429: budget" in late.value.why
    assert "haplane node uncordon" in late.value.next_step
    assert cluster.cordoned() == ["w1"]


def test_a_pod_that_takes_longer_than_the_drain_waits_is_named_before_and_after(inventory):
    """Nobody was told before that the drain of a database with an hour of grace ends after 300 s."""
    [pod, other] = replicas("w1", "w2", terminationGracePeriodSeconds=3600)
    cluster = Nodes(inventory, [pod, other])

    def evict(pods):
        ends = cluster.now() + timedelta(seconds=3600)
        pod["metadata"].setdefault("deletionTimestamp", ends.isoformat())
        return {}

    cluster._api_evict = evict
    [line] = [line for line in carry_out(cluster, "drain", "w1", dry_run=True).plan if "web-w1" in line]
    assert "may take 3600 s to end" in line
    assert "the drain fails after 300 s" in line
    assert "`--timeout 3660` waits for it" in line
    with pytest.raises(DeadlinePassed) as late:
        carry_out(cluster, "drain", "w1")
    assert "default/web-w1: is terminating, and has until" in late.value.why


@pytest.mark.parametrize("verb", ["drain", "reboot"])
def test_a_pod_that_comes_back_to_the_cordoned_node_is_evicted_once_and_named(inventory, verb):
    """It was evicted once a second for 300 s, and the drain failed."""
    evicted = []

    class Returning(Nodes):
        def _api_evict(self, pods):
            evicted.append(pods)
            refused = super()._api_evict(pods)
            again = zoo.pod(f"again-{len(evicted)}", WEB, on="w1", labels=APP, tolerations=[{"operator": "Exists"}])
            late = [zoo.pod("late", WEB, on="w1", labels=APP)] if len(evicted) == 1 else []
            self.pods = [*self.pods, again, *late]
            return refused

    cluster = Returning(inventory, replicas("w1", "w2", tolerations=[{"operator": "Exists"}]))
    done = carry_out(cluster, verb, "w1")
    assert "default/web-w1: interrupted" in done.plan[0]
    assert "tolerates cordoned nodes: its replacement may come back here" in done.plan[0]
    assert len(evicted) == 2  # the pod that was there, and one that was scheduled before the cordon was seen
    left = {one["metadata"]["name"] for one in cluster.pods if one["spec"]["nodeName"] == "w1"}
    assert left == {"net-w1", "again-1", "again-2"}
    text = "drained; default/again-1, default/again-2 came back: no cordon keeps them away, and they stay"
    assert ("w1", text) in cluster.said


def test_a_pod_whose_template_names_the_node_is_refused_and_by_force_evicted_once(inventory):
    """Its replacement was bound to the node again at once, whatever the cordon, and evicted until the deadline."""
    evicted = []

    class Pinned(Nodes):
        def _api_evict(self, pods):
            evicted.append(pods)
            refused = super()._api_evict(pods)
            self.pods = [*self.pods, *replicas("w1")]
            return refused

    owners = [zoo.owned("DaemonSet", "net"), zoo.owned("ReplicaSet", "web", on="w1")]
    cluster = Pinned(inventory, replicas("w1", "w2"), owners=owners)
    with pytest.raises(Refused, match="would be lost or disturbed") as refused:
        carry_out(cluster, "drain", "w1")
    assert "the template of ReplicaSet web names this node (spec.nodeName)" in refused.value.why
    carry_out(cluster, "drain", "w1", force=True)
    assert len(evicted) == 1
    assert ("w1", "drained; default/web-w1 came back: no cordon keeps them away, and they stay") in cluster.said


def test_no_pod_is_evicted_whose_replacement_a_silent_webhook_refuses(inventory):
    cluster = Nodes(inventory, replicas("w1", "w2"))
    hook = {
        "kind": "mutatingwebhookconfiguration", "name": "guard", "webhook": "g.x", "target": "x/g", "why": "gone",
        "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}],
    }  # fmt: skip
    cluster.now_reported["m2"]["workloads"] = samples.workloads(inventory, webhooks=[hook])
    with pytest.raises(Refused, match="would be lost or disturbed") as refused:
        carry_out(cluster, "drain", "w1")
    blocked = "default/web-w1: blocks (its replacement is refused by mutatingwebhookconfiguration guard: gone)"
    assert blocked in refused.value.why
    assert cluster.cordoned() == []


def test_a_reboot_names_what_a_pod_that_stays_has_in_memory(inventory):
    agent = zoo.pod(
        "agent", zoo.owner("DaemonSet", "net"), on="w1", volumes=[zoo.volume("b", emptyDir={"medium": "Memory"})]
    )
    cluster = Nodes(inventory, [agent])
    assert carry_out(cluster, "drain", "w1", dry_run=True).plan[0] == "w1: 2 stays: default/agent, default/net-w1"
    for keep_pods in (False, True):
        with pytest.raises(Refused, match="would be lost") as refused:
            carry_out(cluster, "reboot", "w1", keep_pods=keep_pods)
        assert "emptyDir b in memory" in refused.value.why
    carry_out(cluster, "reboot", "w1", force=True)
    assert cluster.boots["w1"] == 2


def test_a_list_that_became_worse_meanwhile_is_refused_with_the_node_as_it_was(inventory):
    cluster = Nodes(inventory)
    honest = cluster._api_cordon

    def cordon(name, verb):
        cluster.pods.append(zoo.pod("late", on=name))
        return honest(name, verb)

    cluster._api_cordon = cordon
    with pytest.raises(Refused, match="would be lost"):
        carry_out(cluster, "drain", "w1")
    assert cluster.cordoned() == []
    assert "late" in [one["metadata"]["name"] for one in cluster.pods]


def test_all_hosts_are_rebooted_one_after_the_other_and_put_back(inventory):
    cluster = Nodes(inventory, replicas("w1", "w2"))
    cluster.now_reported["lb1"]["balancer"] |= {"holds_endpoint": True}
    cluster.now_reported["lb2"]["balancer"] |= {"holds_endpoint": False}
    done = carry_out(cluster, "reboot")
    rebooted = [name for what, name in cluster.log if what == "reboot"]
    assert rebooted[:4] == ["w1", "w2", "lb2", "lb1"]
    assert sorted(rebooted[4:]) == ["m1", "m2", "m3"]
    assert rebooted[-1] == "m1", "the leader of etcd"
    assert cluster.cordoned() == []
    assert cluster.away == set()
    assert done.status.healthy, done.status.problems
    assert list(done.seconds) == rebooted


def test_what_is_on_a_host_leaves_before_it_goes(inventory):
    cluster = Nodes(inventory)
    carry_out(cluster, "reboot", "lb1", "m2")
    assert cluster.done_to("lb1").index("hand_over_address") < cluster.done_to("lb1").index("reboot")
    done = cluster.done_to("m2")
    assert done.index("take_out_control_plane") < done.index("let_boot_start") < done.index("reboot")
    assert done.index("hand_over") < done.index("take_out_control_plane")
    back = cluster.log.index(("wait_for_controllers", "m2"))
    assert cluster.log.index(("reboot", "m2")) < back < cluster.log.index(("undrain_server", "lb2"))


def test_a_host_that_does_not_come_back_ends_the_run(inventory):
    cluster = Nodes(inventory)
    cluster.stuck.add("w1")
    with pytest.raises(DeadlinePassed, match="w1 did not come back"):
        carry_out(cluster, "reboot")
    assert [name for what, name in cluster.log if what == "reboot"] == ["w1"]


def test_a_node_that_somebody_cordoned_stays_so(inventory):
    cluster = Nodes(inventory)
    cluster.nodes["w1"]["spec"]["unschedulable"] = True
    carry_out(cluster, "reboot", "w1", "w2")
    assert cluster.cordoned() == ["w1"]


def test_a_quick_reboot_evicts_nothing(inventory):
    pods = replicas("w1", "w2")
    cluster = Nodes(inventory, pods)
    done = carry_out(cluster, "reboot", "w1", keep_pods=True)
    assert pods[0] in cluster.pods
    assert "cordoned, its pods restart with it" in done.plan[-1]


@pytest.mark.parametrize("master", ["m1", "m2", "m3"])
def test_no_master_is_rebooted_while_another_is_away(inventory, master):
    cluster = Nodes(inventory)
    away = "m2" if master == "m1" else "m1"
    cluster.now_reported[away]["etcd"] |= {"reads_through_quorum": False}
    with pytest.raises(Refused, match="must not be taken out"):
        carry_out(cluster, "reboot", master)
    assert "reboot" not in cluster.done_to(master)


@pytest.mark.parametrize("verb", ["reboot", "patch"])
def test_no_master_is_rebooted_while_another_one_runs_an_etcd_cluster_of_its_own(inventory, verb):
    cluster = Nodes(inventory)
    etcd = samples.restored_alone(samples.converged(inventory), "m3").reports["m3"].etcd
    cluster.now_reported["m3"]["etcd"] = etcd.model_dump(by_alias=True)
    with pytest.raises(Refused, match="must not be taken out"):
        carry_out(cluster, verb, "m1")
    assert cluster.locks == cluster.done_to("m1") == [], "refused before anybody is asked"


def test_the_only_load_balancer_is_not_rebooted(tmp_path):
    cluster = Nodes(bundled(tmp_path, balancers=1))
    with pytest.raises(Refused, match="lb1 must not be taken out"):
        carry_out(cluster, "reboot", "lb1")


@pytest.mark.parametrize(("printed", "reboots"), [("", False), ("libc6 2\n", False), ("reboot\nlinux 6\n", True)])
def test_a_patched_host_is_rebooted_only_where_that_is_needed(inventory, printed, reboots):
    cluster = Nodes(inventory)
    cluster.upgraded = printed
    done = carry_out(cluster, "patch", "lb1", "w1")
    for name in ("lb1", "w1"):
        assert ("reboot" in cluster.done_to(name)) is reboots
        assert done.patched[name].rebooted is reboots
        assert done.patched[name].packages == tuple(printed.removeprefix("reboot\n").splitlines())
    assert cluster.done_to("lb1")[:3] == ["hand_over_address", "upgrade", "take_part"]


def test_a_load_balancer_takes_part_again_when_its_packages_cannot_be_upgraded(inventory):
    cluster = Nodes(inventory)
    cluster.upgrading_fails = "dpkg was interrupted"
    with pytest.raises(HaplaneError, match="dpkg was interrupted"):
        carry_out(cluster, "patch", "lb1")
    assert cluster.done_to("lb1")[-1] == "take_part"


def test_a_reboot_that_an_interrupted_patch_owes_is_made_up_for(inventory):
    """Its packages are new already, so nothing says any more that it has to be rebooted."""
    cluster = Nodes(inventory)
    cluster._api_cordon("w1", "patch")
    done = carry_out(cluster, "patch", "w1", "w2")
    assert [name for what, name in cluster.log if what == "reboot"] == ["w1"]
    assert done.patched["w1"].packages == ()
    assert cluster.cordoned() == []


def test_no_node_is_rebooted_undrained_while_nobody_reports_nodes(inventory):
    """Right after a master's reboot the API may be late: then nobody knows what runs on the next one."""
    cluster = Nodes(inventory)
    honest = cluster._reboot

    def reboot(name):
        for master in ("m1", "m2", "m3"):
            cluster.now_reported[master]["kubernetes"] = None
        return honest(name)

    cluster._reboot = reboot
    with pytest.raises(Unreachable, match="no API server reports nodes"):
        carry_out(cluster, "reboot", "w1", "w2")
    assert "reboot" not in cluster.done_to("w2")


def test_a_member_that_fails_during_a_drain_stops_the_reboot(inventory):
    cluster = Nodes(inventory)
    honest = cluster._api_cordon

    def cordon(name, verb):
        cluster.now_reported["m1"]["etcd"] |= {"reads_through_quorum": False}
        return honest(name, verb)

    cluster._api_cordon = cordon
    with pytest.raises(Refused, match="must not be taken out"):
        carry_out(cluster, "reboot", "m3")
    assert "hand_over" not in cluster.done_to("m3")
    assert "reboot" not in cluster.done_to("m3")


def test_a_dead_worker_is_removed_without_waiting_for_its_pods(inventory):
    cluster = Nodes(inventory, replicas("w1", "w2"))
    cluster.off["w1"] = "no response"
    cluster.unready = {"w1"}
    done = carry_out(cluster, "remove", "w1")
    assert ("delete_node", {"node": "w1"}) in [(what, asked) for what, _, asked in cluster.deployed]
    assert "w1 did not respond, so it was not reset" in done.warnings[0]
    assert done.exit_code == ExitCode.INCOMPLETE


def test_no_budget_keeps_a_dead_worker_in_the_cluster(inventory):
    """Nobody evicts its pods: a budget that its own dead pod keeps from being met refused its removal for good."""
    single = zoo.budget("web", APP, allowed=0, healthy=0, desired=1, expected=1)
    cluster = Nodes(inventory, replicas("w1", ready=False), budgets=[single])
    with pytest.raises(Refused, match="cannot be drained"):
        carry_out(cluster, "remove", "w1")
    cluster.off["w1"] = "no response"
    cluster.unready = {"w1"}
    carry_out(cluster, "remove", "w1")
    assert ("delete_node", {"node": "w1"}) in [(what, asked) for what, _, asked in cluster.deployed]


def test_a_worker_that_runs_out_of_our_reach_is_not_removed(inventory):
    cluster = Nodes(inventory, replicas("w1", "w2"))
    cluster.off["w1"] = "no response"
    with pytest.raises(Refused, match="not reachable over SSH, but its Node is Ready"):
        carry_out(cluster, "remove", "w1")


def test_workers_and_masters_are_removed_by_commands_of_their_own(tmp_path):
    with pytest.raises(Refused, match="commands of their own"):
        carry_out(Nodes(bundled(tmp_path, masters=5)), "remove", "m4", "m5", "w1")


def test_a_worker_is_removed_for_good(inventory):
    cluster = Nodes(inventory, replicas("w1", "w2"))
    done = carry_out(cluster, "remove", "w1")
    assert cluster.done_to("w1") == ["reset_host"]
    assert ("delete_node", {"node": "w1"}) in [(what, asked) for what, _, asked in cluster.deployed]
    assert "w1: remove from the cluster for good (its Node deleted" in done.plan[-1]


def test_too_few_masters_are_never_left(inventory):
    with pytest.raises(Refused, match="2 masters would be left"):
        carry_out(Nodes(inventory), "remove", "m3")
    with pytest.raises(Refused, match="lb1: neither a master nor a worker"):
        carry_out(Nodes(inventory), "remove", "lb1")
    with pytest.raises(BadInput, match="nobody"):
        carry_out(Nodes(inventory), "remove", "nobody")


def test_two_of_five_masters_are_removed_one_at_a_time(tmp_path):
    cluster = Nodes(bundled(tmp_path, masters=5))
    done = carry_out(cluster, "remove", "m4", "m5")
    assert "m4, m5: decommission (drained, stopped, removed" in "\n".join(done.plan)
    assert [cost.node for cost in done.costs] == ["m4", "m5"]
    for name in ("m4", "m5"):
        assert cluster.done_to(name)[-1] == "reset_host"
    assert len(cluster.now_reported["m1"]["etcd"]["members"]) == 3


@pytest.mark.parametrize("names", [("m4", "m5"), ("w1",)])
def test_what_is_removed_is_listed_and_asked_about_once(tmp_path, names):
    """The second look, under the lock, listed everything twice, and so asked again."""
    cluster, asked = Nodes(bundled(tmp_path, masters=5), replicas("m1", *names)), []
    given = {"confirm": lambda lines: asked.append(lines) or True, "progress": silent, "executor": cluster}
    node(cluster.inventory, "remove", names, NodeRequest(), **given)
    [plan] = asked
    assert len(set(plan)) == len(plan)
    assert [name for name in names if f"{name}: 1 moved: default/web-{name}" in plan] == [*names]


@pytest.fixture
def leaving(tmp_path):
    """`haplane up` with m4 and m5 in the group `leaving`, of hosts with these pods."""
    inventory = bundled(tmp_path, masters=5)

    def made(*pods, **lists):
        cluster = Nodes(inventory, pods, **lists)
        cluster.asked = []
        given = {"confirm": lambda lines: cluster.asked.append(lines) or True, "dry_run": False, "progress": silent}
        return cluster, lambda: up(without(inventory, ("m4", "m5")), executor=cluster, **given)

    return made


def test_up_lists_what_decommissioning_costs_and_drains_as_every_verb_does(leaving):
    """It ran `kubectl drain --force --delete-emptydir-data`, and its plan said nothing of pods."""
    cluster, converge = leaving(*replicas("m4", "w1"))
    done = converge()
    assert {"m4: 1 moved: default/web-m4", "m5: 1 ends with the node: default/net-m5"} <= set(done.plan)
    assert len(cluster.asked) == 1
    assert "web-m4" not in [one["metadata"]["name"] for one in cluster.left["stop_control_plane"]]
    assert [cluster.done_to(name)[-1] for name in ("m4", "m5")] == ["reset_host", "reset_host"]


@pytest.mark.parametrize("lost", [{}, {"volumes": [{"name": "v", "emptyDir": {}}]}])
def test_up_loses_nothing_until_a_drain_with_force_has_agreed_to_it(leaving, lost):
    pods = replicas("m4", "w1", **lost) if lost else [zoo.pod("build-7", on="m4")]
    cluster, converge = leaving(*pods)
    with pytest.raises(Refused, match="pods or data on m4 would be lost") as refused:
        converge()
    assert cluster.locks == cluster.log == cluster.cordoned() == []
    assert "`haplane node drain inventories/test.py m4 --force`, then re-run" in refused.value.next_step
    left, given = without(cluster.inventory, ("m4", "m5")), {"progress": silent, "executor": cluster}
    node(left, "drain", ["m4"], NodeRequest(force=True), confirm=lambda _: True, **given)
    converge()
    assert cluster.done_to("m4")[-1] == "reset_host"


def test_up_drains_nothing_that_can_never_be_drained(leaving):
    never = zoo.budget("web", APP, allowed=0, healthy=2, desired=2, expected=2)
    cluster, converge = leaving(*replicas("m4", "w1"), budgets=[never])
    with pytest.raises(Refused, match="m4 cannot be drained"):
        converge()
    assert cluster.locks == cluster.log == []


def test_a_load_balancer_runs_no_pods(inventory):
    with pytest.raises(BadInput, match="lb1: not a node of the cluster"):
        node(inventory, "drain", ["lb1"], NodeRequest(), confirm=pytest.fail, progress=silent, executor=None)
