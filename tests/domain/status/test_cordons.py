"""Nodes that are Ready and get no new pods."""

import pytest
import samples
from statuses import status_of

from haplane.domain.status import passing_problems

INVENTORY = samples.inventory(workers=2)
CONVERGED = samples.converged(INVENTORY)
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
OURS = {"unschedulable": True, "cordoned_by": "reboot"}
THEIRS = {"unschedulable": True}


def judged(inventory=INVENTORY, *, more=(), **nodes):
    """With these changes of the nodes, as all masters report them."""
    observation = samples.converged(inventory)
    for name in ("m1", "m2", "m3"):
        told = observation.reports[name].kubernetes.model_dump()
        found = [node | nodes.get(node["name"], {}) for node in told["nodes"]]
        observation = samples.altered(observation, name, kubernetes=told | {"nodes": [*found, *more]})
    return status_of(inventory, observation)


def test_a_taint_that_somebody_forgot_is_named_with_the_command():
    tainted = {"taints": [f"{OUT_OF_SERVICE}:NoExecute"]}
    assert judged(w1=tainted).lines == (
        f"w1: it is Ready and has the taint {OUT_OF_SERVICE} (its pods are deleted without being stopped, and no new "
        f"pods are placed there); fix: `kubectl taint nodes w1 {OUT_OF_SERVICE}-`",
    )
    (off,) = judged(w1=tainted | {"ready": False}).lines
    assert off.startswith("worker w1: not Ready"), "that is what it is for"


def test_what_haplane_cordoned_is_a_problem_until_it_is_uncordoned():
    """A reboot that was killed: the node is Ready, takes no pods, and nobody was told."""
    status = judged(w1=OURS)
    assert status.lines == (
        "w1 is cordoned by haplane: no new pods are placed there (since 'haplane node reboot'); "
        "fix: `haplane node uncordon inventories/test.py w1`",
    )
    assert passing_problems(status, ()) == (), "no waiting helps"
    assert judged(w1=OURS | {"unschedulable": False}).healthy, "uncordoned with kubectl"


@pytest.mark.parametrize("wanted", [THEIRS, OURS | {"cordoned_by": "drain"}])
def test_a_cordon_that_somebody_wanted_is_a_note(wanted):
    status = judged(w1=wanted)
    assert status.lines == ()
    assert status.notes == (
        "w1 is cordoned: no new pods are placed there until `haplane node uncordon inventories/test.py w1`",
    )
    other = samples.converged(INVENTORY).reports["m1"].kubernetes.model_dump()["nodes"][-1] | THEIRS | {"name": "x1"}
    assert judged(more=[other]).notes == ("x1 is cordoned: no new pods are placed there until `kubectl uncordon x1`",)


@pytest.mark.parametrize("cordoned", [(THEIRS, THEIRS), (OURS, THEIRS), (THEIRS, {"ready": False})])
def test_where_all_are_cordoned_no_node_takes_new_pods(cordoned):
    """Masters are tainted: that they are not cordoned helps nobody."""
    status = judged(w1=cordoned[0], w2=cordoned[1])
    names = [name for name, one in zip(("w1", "w2"), cordoned, strict=True) if one.get("unschedulable")]
    assert status.lines[-1] == (
        f"no node takes new pods (cordoned: {', '.join(names)}); "
        f"fix: `haplane node uncordon inventories/test.py {' '.join(names)}`"
    )
    assert status.notes == ()


def test_masters_alone_count_where_there_is_nothing_else():
    only = samples.inventory()
    assert judged(only).healthy
    assert judged(only, m1=THEIRS, m2=THEIRS).healthy
    (found,) = judged(only, m1=THEIRS, m2=THEIRS, m3=OURS).lines
    assert found.startswith("no node takes new pods (cordoned: m1, m2, m3)")


def test_taints_that_leave_no_node_at_all_are_named_and_removed_with_one_command():
    """Masters take cluster DNS while they have no taint but their own: workers may be for some pods alone."""
    tainted = {"taints": ["gpu:NoSchedule"]}
    assert judged(w1=tainted, w2=tainted).healthy
    assert judged(w1=tainted, w2=tainted, m1=tainted, m2=tainted).healthy
    everywhere = dict.fromkeys(("w1", "w2", "m1", "m2", "m3"), tainted)
    assert judged(**everywhere).lines[-1] == (
        "no node takes new pods (m1 has the taint gpu:NoSchedule; m2 has the taint gpu:NoSchedule; "
        "m3 has the taint gpu:NoSchedule; w1 has the taint gpu:NoSchedule; w2 has the taint gpu:NoSchedule); "
        "fix: `kubectl taint nodes m1 m2 m3 w1 w2 gpu:NoSchedule-`"
    )


def test_a_taint_that_only_a_clouds_controller_removes():
    taint = "node.cloudprovider.kubernetes.io/uninitialized"
    (line,) = judged(w1={"taints": [f"{taint}:NoSchedule"]}).lines
    assert line.startswith(f"w1: it is Ready and has the taint {taint} (no new pods are placed there until a cloud's")
    assert f"`kubectl taint nodes w1 {taint}-`" in line


def test_a_taint_of_somebodys_own_is_a_note():
    """It may be meant: the node is for certain pods. It may have been forgotten after a repair."""
    status = judged(w1={"taints": ["repair:NoSchedule"]})
    assert status.healthy
    assert status.notes == ("w1 has the taint repair:NoSchedule: only pods that tolerate it are placed there",)
