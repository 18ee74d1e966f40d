"""Whatever the API takes from its users is read: one who owns a pod keeps no node from being drained."""

import pytest
import zoo

from haplane.domain.drain.cost import Drain, cost_of_drain

MANY = 1200


def many(make):
    return [make(number) for number in range(MANY)]


PODS = {
    "an annotation": {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "x" * 200_000}},
    "finalizers": {"finalizers": many(lambda number: f"example.org/{number}")},
    "labels": {"labels": {f"l{number}": "" for number in range(MANY)}},
    "an owner's uid": {"of": zoo.owner("Foo", "x") | {"uid": "not a uid, " * 20, "controller": False}},
    "memory": {"container": {"resources": {"requests": {"memory": "7Ei", "cpu": "9E"}}}},
    "resources": {"container": {"resources": {"requests": {f"example.org/{number}": "1" for number in range(MANY)}}}},
    "tolerations": {"tolerations": many(lambda number: {"key": f"t{number}", "operator": "Exists"})},
    "a path": {"volumes": [zoo.volume("v", hostPath={"path": "/x" * 5000})]},
    "a claim": {"volumes": [zoo.volume("v", persistentVolumeClaim={"claimName": "x" * 5000})]},
    "volumes": {"volumes": many(lambda number: zoo.volume(f"v{number}", emptyDir={"medium": "x" * 500}))},
    "terms": {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": many(
                        lambda number: {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}
                    )
                }
            }
        }
    },
    "spread": {
        "topologySpreadConstraints": many(
            lambda number: {"maxSkew": 1, "topologyKey": f"k{number}", "whenUnsatisfiable": "DoNotSchedule"}
        )
    },
}


@pytest.mark.parametrize("what", PODS)
def test_a_pod_that_is_large_or_odd_keeps_no_node_from_being_drained(what):
    """`node drain`, `reboot`, `patch` and `upgrade` were refused on every node, for one pod of anybody's anywhere."""
    odd = zoo.pod("odd", **({"on": ""} | PODS[what]))
    web = zoo.pod("web", zoo.owner("ReplicaSet", "web"))
    read = zoo.workloads(odd, web, owners=[zoo.owned("ReplicaSet", "web")])
    costs = cost_of_drain(read, "n1", Drain(("n1",), zoo.NOW, 600))
    assert [cost.pod for cost in costs] == ["default/web"]


def test_a_budget_of_many_conditions_and_expressions_is_read():
    odd = zoo.budget("odd", {}, allowed=1, healthy=1, desired=0, expected=1)
    odd["spec"]["selector"] = {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"] * MANY}] * MANY}
    assert zoo.workloads(zoo.pod("web"), budgets=[odd]).budgets[0].name == "default/odd"


def test_whatever_a_kubelet_reports_of_its_node_the_others_are_drained():
    odd = zoo.node("w1", cpu="9E")
    odd["metadata"]["annotations"] = {"haplane/cordoned": "x" * 100_000}
    odd["status"]["conditions"] += many(lambda number: {"type": f"example.org/{number}", "status": "True"})
    odd["status"]["nodeInfo"]["bootID"] = "b" * 5000
    read = zoo.workloads(zoo.pod("web", zoo.owner("ReplicaSet", "web")), nodes=[zoo.node("n1"), zoo.node("n2"), odd])
    assert len(cost_of_drain(read, "n1", Drain(("n1",), zoo.NOW, 600))) == 1
