"""A zoo of pods: each kind, and what a drain of its node does to it."""

import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo import NOW, budget, claim, job, local_volume, node, owned, owner, pod, volume, workloads

from haplane.domain.cluster_health import Webhook
from haplane.domain.drain.cost import Drain, Effect, cost_of_drain, cost_of_reboot_in_place
from haplane.domain.drain.summary import NodeCost
from haplane.errors import HaplaneError

HERE = Drain((), NOW)
WEB = owner("ReplicaSet", "web")
CONTROLLED = owner("ReplicationController", "web")
NET = owner("DaemonSet", "net")
APP = {"app": "web"}
TAINTED = [node("n1"), node("n2", taints=[{"key": "gpu", "effect": "NoSchedule"}])]
AVAILABLE = {"allowed": 1, "healthy": 2, "desired": 1, "expected": 2}
MOUNTED = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
READ_ONLY = {"volumeMounts": [{"name": "d", "mountPath": "/d", "readOnly": True}]}
SPREAD = {
    "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": APP},
}  # fmt: skip
HOSTNAME = {"labelSelector": {"matchLabels": APP}, "topologyKey": "kubernetes.io/hostname"}
APART, TOGETHER = (
    {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [HOSTNAME]}}}
    for kind in ("podAntiAffinity", "podAffinity")
)
BEING_DELETED = claim("data", "ReadWriteMany")
BEING_DELETED["metadata"]["deletionTimestamp"] = "2026-11-28T00:00:00Z"
CLAIMED = [volume("d", persistentVolumeClaim={"claimName": "data"})]
FLEX = {"driver": "example.com/x"}
TOPOLVM = {"csi": {"driver": "topolvm.io"}}
ZONED = [node(name, labels={"topology.topolvm.io/node": name, "zone": "a"}) for name in ("n1", "n2")]
FULL = {"container": {"resources": {"requests": {"cpu": "3950m"}}}}


def served(port, **more):
    """A container with that port of the host's."""
    return {"ports": [{"hostPort": port, **more}]}


def beside(**changed):
    """The same pod with another replica on another node."""
    return [pod("it", WEB, **changed), pod("other", WEB, on="n2", labels=changed.get("labels"))]


ZOO = {
    "bare": ([pod("it")], {}, "lost", "no controller replaces it"),
    "owned but not controlled": ([pod("it", WEB | {"controller": False})], {}, "lost", "no controller"),
    "its controller was deleted": ([pod("it", WEB)], {"owners": []}, "lost", "does not exist any more"),
    "emptyDir on disk": (
        beside(volumes=[volume("cache", emptyDir={})]), {}, "lost", "emptyDir cache on disk, of unknown size"),
    "emptyDir in memory": (
        beside(volumes=[volume("shm", emptyDir={"medium": "Memory"})]), {}, "lost", "emptyDir shm in memory"),
    "emptyDir in huge pages": (
        beside(volumes=[volume("h", emptyDir={"medium": "HugePages-2Mi"})]), {}, "lost", "emptyDir h in memory"),
    "emptyDir called safe": (
        beside(volumes=[volume("cache", emptyDir={})],
               annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": "tmp, cache"}),
        {}, "moved", ""),
    "hostPath that is written": (
        beside(volumes=[volume("d", hostPath={"path": "/srv"})], container=MOUNTED), {}, "lost", "hostPath /srv"),
    "hostPath that is read": (
        beside(volumes=[volume("d", hostPath={"path": "/srv"})], container=READ_ONLY), {}, "moved", ""),
    "hostPath that is a socket": (
        beside(volumes=[volume("d", hostPath={"path": "/run/x.sock", "type": "Socket"})], container=MOUNTED), {},
        "moved", ""),
    "claim that was deleted": (
        beside(volumes=CLAIMED), {"claims": [BEING_DELETED]}, "lost", "default/data was deleted: it goes once"),
    "ephemeral claim": (
        beside(volumes=[volume("d", ephemeral={"volumeClaimTemplate": {}})]), {}, "lost", "deleted with the pod"),
    "inline CSI volume": (
        beside(volumes=[volume("d", csi={"driver": "scratch.example.com"})], container=MOUNTED), {}, "lost",
        "inline CSI volume d (scratch.example.com): it is deleted with the pod"),
    "inline CSI volume that is read": (
        beside(volumes=[volume("d", csi={"driver": "secrets.example.com", "readOnly": True})], container=MOUNTED), {},
        "moved", ""),
    "inline CSI volume that is mounted to be read": (
        beside(volumes=[volume("d", csi={"driver": "x"})], container=READ_ONLY), {}, "moved", ""),
    "gitRepo": (
        beside(volumes=[volume("d", gitRepo={"repository": "https://git.example.com/x"})], container=MOUNTED), {},
        "lost", "gitRepo d: a replacement clones it anew"),
    "flexVolume": (
        beside(volumes=[volume("d", flexVolume=FLEX)], container=MOUNTED), {}, "lost",
        "flexVolume d (example.com/x): its driver decides whether the data follows the pod"),
    "flexVolume that is read": (
        beside(volumes=[volume("d", flexVolume=FLEX | {"readOnly": True})], container=MOUNTED), {}, "moved", ""),
    "projected, secret, configMap, downwardAPI and image volumes": (
        beside(volumes=[volume(kind.lower(), **{kind: {}})
                        for kind in ("projected", "secret", "configMap", "downwardAPI", "image")]), {}, "moved", ""),
    "volume of a network file system": (
        beside(volumes=[volume("d", nfs={"server": "192.0.2.1", "path": "/"})], container=MOUNTED), {}, "moved", ""),
    "local volume of a CSI driver": (
        beside(volumes=CLAIMED),
        {"claims": [claim("data", "ReadWriteOnce", volume="pv")], "nodes": ZONED,
         "volumes": [local_volume("pv", "n1", "topology.topolvm.io/node", **TOPOLVM)]},
        "blocks", "volume pv: no other node can use it (its nodeAffinity)"),
    "volume of a zone with other nodes": (
        beside(volumes=CLAIMED),
        {"claims": [claim("data", "ReadWriteMany", volume="pv")], "nodes": ZONED,
         "volumes": [local_volume("pv", "a", "zone", csi={"driver": "x"})]}, "moved", ""),
    "local volume": (
        beside(volumes=CLAIMED),
        {"claims": [claim("data", "ReadWriteOnce", volume="pv")], "volumes": [local_volume("pv", "n1")]},
        "blocks", "local volume pv (/mnt/disk)"),
    "ReadWriteOnce": (
        beside(volumes=CLAIMED), {"claims": [claim("data", "ReadWriteOnce", volume="pv")]},
        "interrupted", "attached to one node at a time"),
    "ReadWriteMany": (
        beside(volumes=CLAIMED), {"claims": [claim("data", "ReadWriteMany", volume="pv")]}, "moved", ""),
    "ReadWriteOnce, shared with a pod that stays": (
        [*beside(volumes=CLAIMED), pod("agent", owner("DaemonSet", "agent"), volumes=CLAIMED)],
        {"claims": [claim("data", "ReadWriteOnce", volume="pv")]}, "blocks", "is used here by default/agent, which"),
    "single replica": ([pod("it", WEB)], {}, "interrupted", "the only ready pod of ReplicaSet web"),
    "all replicas here": (
        [pod("it", WEB), pod("too", WEB)], {}, "interrupted", "all 2 ready pods of ReplicaSet web are on"),
    "two replicas": (beside(), {}, "moved", ""),
    "ReplicaSet without a Deployment": (
        beside(), {"owners": [owned("ReplicaSet", "web")]}, "moved", ""),
    "ReplicationController": (
        [pod("it", CONTROLLED), pod("too", CONTROLLED, on="n2")], {}, "moved", ""),
    "ReplicationController that was deleted": (
        [pod("it", CONTROLLED)], {"owners": []}, "lost", "does not exist any more"),
    "its controller is being deleted": (
        beside(), {"owners": [owned("ReplicaSet", "web", deletionTimestamp="2026-11-29T00:59:00Z")]},
        "lost", "ReplicaSet web is being deleted: nothing replaces it"),
    "template that names this node": (
        beside(), {"owners": [owned("ReplicaSet", "web", on="n1")]}, "blocks",
        "its replacement runs nowhere else: the template of ReplicaSet web names this node (spec.nodeName)"),
    "template that names another node": (beside(), {"owners": [owned("ReplicaSet", "web", on="n2")]}, "moved", ""),
    "Job whose template names this node": (
        [pod("it", owner("Job", "sum"))], {"jobs": [job("sum", on="n1")]}, "blocks", "the template of Job sum"),
    "two replicas that tolerate everything": (
        beside(tolerations=[{"operator": "Exists"}]), {}, "interrupted",
        "tolerates cordoned nodes: its replacement may come back here"),
    "two replicas that tolerate cordons": (
        beside(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]), {}, "interrupted",
        "tolerates cordoned nodes"),
    "two replicas that tolerate what evicts them": (
        beside(tolerations=[{"operator": "Exists", "effect": "NoExecute"}]), {}, "moved", ""),
    "bare, and tolerates everything": (
        [pod("it", tolerations=[{"operator": "Exists"}])], {}, "lost", "no controller replaces it"),
    "one that does not serve": ([pod("it", WEB, ready=False)], {}, "moved", ""),
    "StatefulSet": (
        [pod("it", owner("StatefulSet", "db")), pod("db-1", owner("StatefulSet", "db"), on="n2")], {},
        "interrupted", "there is one pod of this name"),
    "Job": ([pod("it", owner("Job", "sum"))], {"jobs": [job("sum")]}, "interrupted", "restarts it"),
    "Job that may not fail again": (
        [pod("it", owner("Job", "sum"))], {"jobs": [job("sum", failed=2, limit=2)]}, "lost", "backoffLimit 2"),
    "Job that ignores evictions": (
        [pod("it", owner("Job", "sum"))], {"jobs": [job("sum", limit=0, on_eviction="Ignore")]},
        "interrupted", "restarts"),
    "Job that fails when evicted": (
        [pod("it", owner("Job", "sum"))], {"jobs": [job("sum", on_eviction="FailJob")]}, "lost", "has FailJob"),
    "Job whose index may not fail again": (
        [pod("it", owner("Job", "sum"), annotations={"batch.kubernetes.io/job-index-failure-count": "1"})],
        {"jobs": [job("sum", limit=2**31 - 1, per_index=1)]}, "lost", "its index fails, backoffLimitPerIndex 1"),
    "Job whose index may fail again": (
        [pod("it", owner("Job", "sum"))], {"jobs": [job("sum", limit=2**31 - 1, per_index=1)]},
        "interrupted", "restarts"),
    "Job of another group": (
        [pod("it", owner("Job", "train") | {"apiVersion": "batch.volcano.sh/v1alpha1"})], {}, "interrupted",
        "Job train decides whether it is replaced"),
    "StatefulSet of another group": (
        [pod("it", owner("StatefulSet", "db") | {"apiVersion": "apps.kruise.io/v1beta1"})], {"owners": []},
        "interrupted", "StatefulSet db decides whether it is replaced"),
    "Job's finalizer": (
        [pod("it", owner("Job", "sum"), finalizers=["batch.kubernetes.io/job-tracking"])], {"jobs": [job("sum")]},
        "interrupted", "restarts it"),
    "custom owner": ([pod("it", owner("StrimziPodSet", "kafka"))], {}, "interrupted", "StrimziPodSet kafka decides"),
    "step of a workflow": (
        [pod("it", owner("Workflow", "etl"), restartPolicy="Never")], {}, "lost",
        "Workflow etl decides whether it runs again (restartPolicy Never: it is to end by itself)"),
    "build that may restart": (
        [pod("it", owner("TaskRun", "build"), restartPolicy="OnFailure")], {}, "lost", "TaskRun build decides"),
    "pod of a Job": (
        [pod("it", owner("Job", "sum"), restartPolicy="Never")], {"jobs": [job("sum")]}, "interrupted", "restarts"),
    "DaemonSet": ([pod("it", owner("DaemonSet", "net"))], {}, "stays", "one for each node"),
    "static": ([pod("it", annotations={"kubernetes.io/config.mirror": "x"})], {}, "stays", "static pod"),
    "succeeded": ([pod("it", phase="Succeeded", ready=False)], {}, "stays", "has ended (Succeeded)"),
    "failed": ([pod("it", phase="Failed", ready=False)], {}, "stays", "has ended (Failed)"),
    "terminating": ([pod("it", WEB, deletionTimestamp="2026-11-29T01:00:10Z")], {}, "moved", "terminating already"),
    "terminating for too long": (
        [pod("it", WEB, deletionTimestamp="2026-11-29T00:30:00Z")], {}, "blocks", "its kubelet does not end it"),
    "terminating with a finalizer": (
        [pod("it", WEB, deletionTimestamp="2026-11-29T01:00:10Z", finalizers=["a/b"])], {}, "blocks", "a/b"),
    "finalizer": (beside(finalizers=["example.com/wait"]), {}, "blocks", "finalizer example.com/wait"),
    "safe-to-evict false": (
        beside(annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}), {}, "blocks", '"false"'),
    "taint elsewhere": ([pod("it", WEB)], {"nodes": TAINTED}, "blocks", "1 node: taint gpu not tolerated"),
    "node selector": (beside(nodeSelector={"disk": "ssd"}), {}, "blocks", "1 node: node selector does not match"),
    "no room elsewhere": (
        beside(container={"resources": {"requests": {"cpu": "3950m"}}}), {}, "blocks", "no room left (cpu)"),
    "no room but that of pods of lower priority": (
        [pod("it", WEB, priority=2000001000, **FULL), pod("other", WEB, on="n2")], {}, "blocks",
        "no room left (cpu) unless pods of lower priority are preempted"),
    "no room, and it never preempts": (
        [pod("it", WEB, priority=10, preemptionPolicy="Never", **FULL), pod("other", WEB, on="n2")], {}, "blocks",
        "1 node: no room left (cpu)"),
    "host network, and its port is in use": (
        [pod("it", WEB, hostNetwork=True, container=served(80)),
         pod("other", WEB, on="n2", hostNetwork=True, container=served(80))], {}, "blocks", "host port 80 is in use"),
    "host port in use by a sidecar": (
        [pod("it", WEB, container=served(80)),
         pod("other", WEB, on="n2", initContainers=[{"restartPolicy": "Always", **served(80)}])], {}, "blocks",
        "host port 80 is in use"),
    "host port of other addresses": (
        [pod("it", WEB, container=served(80, hostIP="192.0.2.1")),
         pod("other", WEB, on="n2", container=served(80, hostIP="192.0.2.2"))], {}, "moved", ""),
    "host port of all addresses": (
        [pod("it", WEB, container=served(80, hostIP="192.0.2.1")), pod("other", WEB, on="n2", container=served(80))],
        {}, "blocks", "host port 80 is in use"),
    "resource claims": (
        beside(resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "one"}]), {}, "moved",
        "whether another node has the devices of its resource claims (gpu) is not known"),
    "no room for the pod as a whole": (
        beside(resources={"requests": {"cpu": "3950m"}}), {}, "blocks", "no room left (cpu)"),
    "sidecar that starts after what needs more": (
        beside(initContainers=[{"resources": {"requests": {"cpu": "3800m"}}},
                               {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}]),
        {}, "moved", ""),
    "spread that the cordoned node breaks": (
        beside(labels=APP, topologySpreadConstraints=[SPREAD]), {}, "blocks", "1 node: topology spread"),
    "spread that honours taints": (
        beside(labels=APP, topologySpreadConstraints=[SPREAD | {"nodeTaintsPolicy": "Honor"}]), {}, "moved", ""),
    "spread over a label that nodes lack": (
        beside(labels=APP, topologySpreadConstraints=[SPREAD | {"topologyKey": "zone"}]), {}, "blocks",
        "no label zone for its topology spread"),
    "spread that is wanted only": (
        beside(labels=APP, topologySpreadConstraints=[SPREAD | {"whenUnsatisfiable": "ScheduleAnyway"}]), {},
        "moved", ""),
    "a pod elsewhere that is kept apart from it": (
        [*beside(labels=APP)[:1], pod("other", owner("ReplicaSet", "o"), on="n2", **APART)], {}, "blocks",
        "1 node: anti-affinity of a pod there"),
    "beside a pod that goes too": (
        [pod("it", WEB, **TOGETHER), pod("cache", owner("ReplicaSet", "cache"), labels=APP,
                                         container={"resources": {"requests": {"cpu": "1m"}}})],
        {}, "interrupted", "the only ready pod of ReplicaSet web"),
    "only node": ([pod("it", WEB)], {"nodes": [node("n1")]}, "blocks", "there is no other node"),
    "other nodes are down": (
        beside(), {"nodes": [node("n1"), node("n2", ready=False)]}, "blocks", "1 node: not Ready"),
    "budget that lets it go": (
        beside(labels=APP), {"budgets": [budget("web", APP, **AVAILABLE)]}, "moved", ""),
    "budget that can never be met": (
        beside(labels=APP), {"budgets": [budget("web", APP, allowed=0, healthy=2, desired=2, expected=2)]},
        "blocks", "PodDisruptionBudget default/web can never be met: 2 of 2 pods have to be healthy"),
    "budget that is not met now": (
        beside(labels=APP), {"budgets": [budget("web", APP, allowed=0, healthy=2, desired=2, expected=3)]},
        "blocks", "allows no eviction now"),
    "two budgets": (
        beside(labels=APP), {"budgets": [budget("a", APP, **AVAILABLE), budget("b", APP, **AVAILABLE)]},
        "blocks", "2 PodDisruptionBudgets select it (default/a, default/b)"),
    "unready under IfHealthyBudget": (
        [pod("it", WEB, ready=False, labels=APP), pod("other", WEB, on="n2", labels=APP)],
        {"budgets": [budget("web", APP, allowed=0, healthy=1, desired=2, expected=3)]},
        "blocks", "not ready, and PodDisruptionBudget default/web (IfHealthyBudget)"),
    "unready under a healthy budget": (
        [pod("it", WEB, ready=False, labels=APP), pod("other", WEB, on="n2", labels=APP)],
        {"budgets": [budget("web", APP, allowed=0, healthy=2, desired=2, expected=3)]}, "moved", ""),
    "unready under AlwaysAllow": (
        [pod("it", WEB, ready=False, labels=APP), pod("other", WEB, on="n2", labels=APP)],
        {"budgets": [budget("web", APP, allowed=0, healthy=1, desired=2, expected=3, policy="AlwaysAllow")]},
        "moved", ""),
    "unready under a budget that needs none": (
        [pod("it", WEB, ready=False, labels=APP), pod("other", WEB, on="n2", labels=APP)],
        {"budgets": [budget("web", APP, allowed=1, healthy=1, desired=0, expected=2)]}, "moved", ""),
    "budget that cannot be evaluated": (
        beside(labels=APP), {"budgets": [budget("web", APP, allowed=0, healthy=0, desired=0, expected=0, observed=0,
                                                failure="does not implement the scale subresource")]},
        "blocks", "default/web cannot be evaluated: does not implement the scale subresource"),
    "pending under a budget": (
        [pod("it", WEB, ready=False, phase="Pending", labels=APP)],
        {"budgets": [budget("web", APP, allowed=0, healthy=0, desired=1, expected=1)]}, "moved", ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", ZOO)
def test_every_kind_of_pod_is_known(kind):
    pods, others, effect, why = ZOO[kind]
    costs = {cost.pod: cost for cost in cost_of_drain(workloads(*pods, **others), "n1", HERE)}
    found = costs["default/it"]
    assert found.effect.value == effect, found
    assert why in "; ".join(found.why)


@pytest.mark.parametrize("kind", ZOO)
def test_every_pod_of_the_node_is_listed_once_and_none_of_another(kind):
    pods, others, _, _ = ZOO[kind]
    listed = sorted(cost.pod for cost in cost_of_drain(workloads(*pods, **others), "n1", HERE))
    assert listed == sorted(f"default/{one['metadata']['name']}" for one in pods if one["spec"]["nodeName"] == "n1")


PODS = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}


def test_what_stays_on_a_node_that_leaves_ends_with_it_and_so_does_its_data():
    volumes = [volume("shm", emptyDir={"medium": "Memory"}), volume("buffer", emptyDir={})]
    volumes += [volume("d", csi={"driver": "x"}), volume("host", hostPath={"path": "/srv"})]
    pods = [
        pod("agent", NET, volumes=volumes, container=MOUNTED),
        pod("net", NET),
        pod("over", NET, phase="Failed", ready=False),
    ]
    costs = cost_of_drain(workloads(*pods), "n1", replace(HERE, leaves=True))
    assert {cost.effect for cost in costs} == {Effect.ENDS}
    [ends] = NodeCost("n1", costs).lines()
    names = "default/agent, default/net, default/over"
    assert ends.startswith(f"n1: 3 ends with the node: {names}; default/agent: emptyDir shm in ")
    assert "emptyDir buffer on disk" in ends
    assert "inline CSI volume d (x)" in ends
    assert "/srv" not in ends


REFUSING = {
    "kind": "validatingwebhookconfiguration", "name": "guard", "webhook": "g.x",
    "why": "its service x/g has no endpoints",
    "rules": [PODS],
}  # fmt: skip
REFUSED = "its replacement is refused by validatingwebhookconfiguration guard: its service x/g has no endpoints"
OTHERS = {"matchLabels": {"team": "a"}}


@pytest.mark.parametrize(
    ("change", "effect", "why"),
    [
        ({}, "blocks", REFUSED),
        ({"conditional": True}, "moved", "guard if its matchConditions match: its service x/g has no endpoints"),
        ({"partly": True}, "moved", "guard until it is tried at another endpoint: its service x/g has no endpoints"),
        ({"namespaces": OTHERS}, "moved", None),
        ({"objects": OTHERS}, "moved", None),
        ({"rules": [PODS | {"operations": ["DELETE"]}]}, "moved", None),
        ({"rules": [PODS | {"resources": ["configmaps"]}]}, "moved", None),
        ({"rules": [PODS | {"operations": ["DELETE"]}, PODS | {"resources": ["configmaps"]}]}, "moved", None),
    ],
)
def test_a_replacement_that_a_silent_webhook_refuses_is_named(change, effect, why):
    """The pods were said to move: they went, and none came back until somebody deleted the webhook."""
    place = {"metadata": {"name": "default", "uid": "d", "labels": {"kubernetes.io/metadata.name": "default"}}}
    hook = Webhook.model_validate(REFUSING | change)
    drain = replace(HERE, webhooks=(hook,))
    [cost] = cost_of_drain(workloads(*beside(), namespaces=[place]), "n1", drain)
    assert cost.effect.value == effect
    assert (why in "; ".join(cost.why)) if why else cost.why == ()
    assert not cost.deadlock
    [bare] = cost_of_drain(workloads(pod("it")), "n1", drain)
    assert REFUSED not in bare.why, "nothing would replace it"


def test_one_budget_over_two_pods_of_the_node_lets_one_go_after_the_other():
    both = [pod("a", WEB, labels=APP), pod("b", WEB, labels=APP)]
    seen = workloads(*both, budgets=[budget("web", APP, **AVAILABLE)])
    first, second = cost_of_drain(seen, "n1", HERE)
    assert not first.deadlock
    assert not second.deadlock
    assert "lets 1 of these 2 pods go at a time: this one once a replacement is ready" in second.why[-1]


def test_where_the_first_cannot_be_replaced_the_second_is_never_evicted():
    both = [pod("a", WEB, labels=APP), pod("b", WEB, labels=APP)]
    seen = workloads(*both, nodes=TAINTED, budgets=[budget("web", APP, **AVAILABLE)])
    first, second = cost_of_drain(seen, "n1", HERE)
    assert (first.deadlock, second.deadlock) == (False, True)
    assert "nothing replaces default/a elsewhere" in second.why[0]


def test_one_that_comes_back_here_lets_the_budget_s_next_one_go_unless_the_node_leaves():
    both = [pod("a", WEB, labels=APP), pod("b", WEB, labels=APP)]
    seen = workloads(*both, owners=[owned("ReplicaSet", "web", on="n1")], budgets=[budget("web", APP, **AVAILABLE)])
    costs = cost_of_drain(seen, "n1", HERE)
    assert [(cost.effect, cost.deadlock, cost.returns) for cost in costs] == [(Effect.BLOCKS, False, True)] * 2
    assert [cost.deadlock for cost in cost_of_drain(seen, "n1", replace(HERE, leaves=True))] == [False, True]


def test_pods_that_fit_alone_may_not_fit_together():
    many = [pod(f"p{number}", WEB, container={"resources": {"requests": {"cpu": "1500m"}}}) for number in range(3)]
    costs = cost_of_drain(workloads(*many, pod("o", WEB, on="n2")), "n1", HERE)
    assert [cost.effect for cost in costs].count(Effect.BLOCKS) == 1


def test_nodes_that_go_out_of_service_too_take_no_pods():
    seen = workloads(*beside(), nodes=[node("n1"), node("n2"), node("n3")])
    [cost] = cost_of_drain(seen, "n1", Drain(("n2", "n3"), NOW))
    assert cost.effect is Effect.BLOCKS


def test_pods_of_nodes_that_are_drained_together_need_room_together():
    large = {"container": {"resources": {"requests": {"cpu": "2500m"}}}}
    pods = [pod("a", WEB, **large), pod("b", WEB, on="n2", **large)]
    seen = workloads(*pods, nodes=[node("n1"), node("n2"), node("n3")])
    effects = [cost.effect for name in ("n1", "n2") for cost in cost_of_drain(seen, name, Drain(("n1", "n2"), NOW))]
    assert sorted(effect.value for effect in effects) == ["blocks", "interrupted"]


def test_replicas_of_an_older_replica_set_serve_meanwhile():
    deployment = owner("Deployment", "web")
    pods = [pod("new", owner("ReplicaSet", "web-2")), pod("old", owner("ReplicaSet", "web-1"), on="n2")]
    owners = [owned("ReplicaSet", "web-1", deployment), owned("ReplicaSet", "web-2", deployment)]
    [cost] = cost_of_drain(workloads(*pods, owners=owners), "n1", HERE)
    assert cost.effect is Effect.MOVED


def test_an_interruption_is_as_long_as_the_pod_itself_took_to_start():
    [cost] = cost_of_drain(workloads(pod("it", WEB)), "n1", HERE)
    assert cost.seconds == 7
    [line] = NodeCost("n1", (cost,)).lines()
    assert line.startswith("n1: default/it: interrupted for about 7 s, as long as it took to start (the only ready")


def test_a_pod_that_was_not_ready_in_between_tells_nothing_of_its_start():
    it = pod("it", WEB)
    it["status"]["conditions"][1]["lastTransitionTime"] = "2026-11-29T00:30:00Z"
    [cost] = cost_of_drain(workloads(it), "n1", HERE)
    assert (cost.effect, cost.seconds) == (Effect.INTERRUPTED, None)


def test_a_size_is_named_where_the_kubelet_knows_it():
    it = pod("it", WEB, volumes=[volume("cache", emptyDir={})])
    seen = workloads(it, used_bytes={f"{it['metadata']['uid']}/cache": 5 << 20})
    [cost] = cost_of_drain(seen, "n1", HERE)
    assert "emptyDir cache on disk, 5.0 MiB" in cost.why


IN_PLACE = {
    "bare": (pod("it"), "interrupted"),
    "one that never restarts": (pod("it", restartPolicy="Never"), "lost"),
    "emptyDir in memory": (pod("it", WEB, volumes=[volume("shm", emptyDir={"medium": "Memory"})]), "lost"),
    "emptyDir in memory, called safe": (
        pod("it", WEB, volumes=[volume("shm", emptyDir={"medium": "Memory"})],
            annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}), "interrupted"),
    "emptyDir on disk": (pod("it", WEB, volumes=[volume("cache", emptyDir={})]), "interrupted"),
    "DaemonSet": (pod("it", owner("DaemonSet", "net")), "stays"),
}  # fmt: skip


@pytest.mark.parametrize("kind", IN_PLACE)
def test_a_quick_reboot_keeps_pods_and_what_is_on_disk(kind):
    it, effect = IN_PLACE[kind]
    [cost] = cost_of_reboot_in_place(workloads(it), "n1")
    assert cost.effect.value == effect


SHARED_MEMORY = {"volumes": [volume("shm", emptyDir={"medium": "Memory"})]}
HUGE_PAGES = {"volumes": [volume("shm", emptyDir={"medium": "HugePages-2Mi"})]}
CALLED_SAFE = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": "shm"}}
STAYING = {
    "DaemonSet": (pod("it", NET, **SHARED_MEMORY), "lost"),
    "static": (pod("it", annotations={"kubernetes.io/config.mirror": "x"}, **SHARED_MEMORY), "lost"),
    "huge pages": (pod("it", NET, **HUGE_PAGES), "lost"),
    "called safe": (pod("it", NET, **SHARED_MEMORY, **CALLED_SAFE), "stays"),
    "on disk": (pod("it", NET, volumes=[volume("shm", emptyDir={})]), "stays"),
    "ended": (pod("it", NET, phase="Succeeded", ready=False, **SHARED_MEMORY), "stays"),
}


@pytest.mark.parametrize("kind", STAYING)
def test_a_pod_that_stays_has_what_is_in_memory_until_the_host_boots(kind):
    """They were said to stay, which their data does not."""
    it, effect = STAYING[kind]
    used = {f"{it['metadata']['uid']}/shm": 3 << 20}
    seen = workloads(it, used_bytes=used)
    [drained] = cost_of_drain(seen, "n1", HERE)
    assert drained.effect is Effect.STAYS
    for [rebooted] in (cost_of_drain(seen, "n1", replace(HERE, reboots=True)), cost_of_reboot_in_place(seen, "n1")):
        assert rebooted.effect.value == effect
        assert ("emptyDir shm in memory, 3.0 MiB" in rebooted.why) is (effect == "lost")


@given(grace=st.integers(0, 10**6), waits=st.integers(1, 86400), terminating=st.booleans())
def test_a_pod_is_named_that_may_outlast_its_drain_with_a_timeout_that_it_does_not(grace, waits, terminating):
    ends = {"deletionTimestamp": (NOW + timedelta(seconds=grace)).isoformat()} if terminating else {}
    one, other = beside(terminationGracePeriodSeconds=grace, **ends)
    [cost] = cost_of_drain(workloads(one, other), "n1", Drain((), NOW, waits))
    said = re.search(r"may take (\d+) s to end", "; ".join(cost.why))
    assert bool(said) is (grace >= waits)
    assert cost.effect is Effect.MOVED, "it is no loss: it may end at once"
    if said:
        assert int(said[1]) == grace
        enough = re.search(r"--timeout (\d+)", "; ".join(cost.why))
        assert grace < int(enough[1]) <= 86400 if enough else grace + 60 > 86400
        assert said[0] in NodeCost("n1", (cost,)).lines()[0]
        if enough:
            [cost] = cost_of_drain(workloads(one, other), "n1", Drain((), NOW, int(enough[1])))
            assert "may take" not in "; ".join(cost.why)


def test_what_is_no_list_of_objects_is_named():
    with pytest.raises(HaplaneError, match="cannot be read"):
        workloads(pod("it") | {"metadata": {"name": "../../x"}})
    with pytest.raises(HaplaneError, match="cannot be read"):
        workloads(pod("it", container={"resources": {"requests": {"cpu": "many"}}}))
    with pytest.raises(HaplaneError, match="cannot be read"):
        workloads(pod("it", deletionTimestamp="2026-11-29T01:00:10"))


@pytest.mark.timed
def test_a_large_cluster_is_judged_within_seconds():
    """110 pods on the node, 3000 elsewhere, as many claims: for each node of a run."""
    here = [pod(f"p{number}", WEB, volumes=CLAIMED, labels=APP) for number in range(110)]
    there = [pod(f"q{number}", WEB, on=f"n{2 + number % 100}", labels=APP) for number in range(3000)]
    nodes = [node(f"n{number}") for number in range(1, 102)]
    claims = [claim("data", "ReadWriteMany"), *(claim(f"c{number}", "ReadWriteOnce") for number in range(3000))]
    seen = workloads(*here, *there, nodes=nodes, claims=claims)
    began = time.process_time()
    costs = cost_of_drain(seen, "n1", HERE)
    assert time.process_time() - began < 2
    assert {cost.effect for cost in costs} == {Effect.MOVED}
