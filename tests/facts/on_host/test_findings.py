"""What an API server's objects show, as the API has them."""

from datetime import UTC, datetime, timedelta

import pytest

from haplane.domain.findings import Findings
from haplane.facts.on_host import findings

PATHS = {
    "api_services": findings.APISERVICES, "terminating": findings.TERMINATING, "pods": findings.UNSCHEDULED,
    "deployments": findings.DEPLOYMENTS, "system": findings.SYSTEM_PODS[0],
    "unstarted": findings.UNSTARTED, "events": findings.SANDBOX_EVENTS,
    "dns": findings.SERVICES["kube-system/kube-dns"], "networks": findings.SERVICE_NETWORKS,
    "mounts": findings.MOUNT_EVENTS, "services": findings.services_at("10.96.0.10"),
}  # fmt: skip


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def found(**listed):
    told = {PATHS[name]: {"items": items} for name, items in listed.items()}
    return Findings.model_validate(findings.found_in(told, lambda _pod, _query: ""))


def test_a_cluster_with_nothing_amiss():
    assert found() == Findings(endpoints={"default/kubernetes": (), "kube-system/kube-dns": ()})


def api_service(available, service="metrics"):
    condition = {"type": "Available", "status": available, "message": "endpoints not found"}
    return {
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"service": {"name": service, "namespace": "kube-system"} if service else None},
        "status": {"conditions": [condition]},
    }


def test_what_is_not_understood_is_unknown_and_the_rest_is_not_lost():
    seen = found(deployments=[{"metadata": {}}], api_services=[api_service("False")])
    assert list(seen.unread) == ["unobserved", "paused"]
    assert len(seen.api_services) == 1


@pytest.mark.parametrize(
    ("item", "named"),
    [(api_service("False"), True), (api_service("True"), False), (api_service("False", None), False)],
)
def test_an_api_whose_server_is_gone(item, named):
    seen = [(one.name, one.why) for one in found(api_services=[item]).api_services]
    assert seen == [("v1beta1.metrics.k8s.io", "endpoints not found")] * named


def test_a_namespace_that_does_not_go_says_why():
    conditions = [
        {"type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: pods."},
        {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "message": "Discovery failed"},
        {"type": "NamespaceFinalizersRemaining", "status": "False", "message": "no"},
    ]
    items = [
        {"metadata": {"name": name, "deletionTimestamp": ago(seconds)}, "status": {"conditions": conditions}}
        for name, seconds in (("old", 400), ("young", 20))
    ]
    (one,) = found(terminating=items).terminating
    assert (one.name, one.why) == ("old", "Discovery failed; Some resources are remaining: pods.")


def pod(age=90, conditions=(), **spec):
    return {
        "metadata": {"namespace": "x", "name": "p", "creationTimestamp": ago(age)},
        "spec": spec, "status": {"phase": "Pending", "conditions": list(conditions)},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({}, True),
        ({"age": 10}, False),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}, False),
        ({"schedulerName": "mine"}, False),
    ],
)
def test_a_pod_that_no_scheduler_has_looked_at(item, named):
    assert found(pods=[pod(**item)]).unscheduled == ("x/p",) * named


def deployment(generation, observed, changed=90):
    managers = [{"time": ago(changed)}, {"time": ago(1), "subresource": "status"}]
    return {
        "metadata": {
            "namespace": "x", "name": "d", "generation": generation, "creationTimestamp": ago(9999),
            "managedFields": managers,
        },
        "status": {} if observed is None else {"observedGeneration": observed},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("observed", "changed", "named"),
    [(2, 90, False), (1, 90, True), (None, 90, True), (1, 5, False)],
)
def test_a_deployment_that_no_controller_has_looked_at(observed, changed, named):
    assert found(deployments=[deployment(2, observed, changed)]).unobserved == ("x/d",) * named


def container(*, code=1, restarts=7, lasted=10, age=30, ready=True, reason="Error"):
    ended = {"exitCode": code, "reason": reason, "startedAt": ago(age + lasted + 5), "finishedAt": ago(age + 5)}
    return {
        "name": "kube-proxy", "ready": ready, "restartCount": restarts,
        "state": {"running": {"startedAt": ago(age)}}, "lastState": {"terminated": ended},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, True),
        ({"restarts": 3}, False),
        ({"code": 0}, False),
        ({"code": 255}, False),
        ({"restarts": 1}, False),
        ({"lasted": 4000}, False),
        ({"age": 4000}, False),
        ({"ready": False}, False),
    ],
)
def test_a_pod_between_two_crashes(changes, named):
    """Ready at this moment, and again and again for as long as it takes to crash."""
    item = {
        "metadata": {"namespace": "kube-system", "name": "kube-proxy-x", "labels": {"k8s-app": "kube-proxy"}},
        "spec": {"nodeName": "w1"}, "status": {"containerStatuses": [container(**changes)]},
    }  # fmt: skip
    seen = found(system=[item]).crashing
    assert [(one.name, one.node) for one in seen] == [("kube-system/kube-proxy-x", "w1")] * named
    assert all("kube-proxy ended 7 times, last with Error, exit 1" in one.why for one in seen)


@pytest.mark.parametrize(
    ("labels", "changes", "named"),
    [
        ({"tier": "control-plane"}, {}, True),
        ({"tier": "control-plane"}, {"code": 137}, False),  # a drill, or somebody, killed it
        ({"tier": "control-plane"}, {"age": 200}, False),
        ({"tier": "control-plane"}, {"code": 137, "reason": "OOMKilled", "restarts": 1, "lasted": 4000}, True),
        ({"k8s-app": "kube-dns"}, {"code": 137, "reason": "OOMKilled", "restarts": 1, "age": 400}, True),
        ({"k8s-app": "kube-dns"}, {"code": 137, "reason": "OOMKilled", "age": 4000}, False),
        ({"k8s-app": "metrics-server"}, {}, False),
        ({}, {"code": 137, "reason": "OOMKilled"}, False),
    ],
)
def test_containers_of_the_control_plane_and_those_without_memory(labels, changes, named):
    item = {
        "metadata": {"namespace": "kube-system", "name": "a", "labels": labels}, "spec": {"nodeName": "m1"},
        "status": {"containerStatuses": [container(**changes)]},
    }  # fmt: skip
    assert len(found(system=[item]).crashing) == named


@pytest.mark.parametrize(
    ("deleted", "finalizers", "held"),
    [(200, None, [()]), (200, ["example.org/x"], [("example.org/x",)]), (30, ["example.org/x"], []), (-30, None, [])],
)
def test_a_pod_that_does_not_go(deleted, finalizers, held):
    metadata = {"namespace": "kube-system", "name": "coredns-x", "deletionTimestamp": ago(deleted)}
    item = {"metadata": metadata | ({"finalizers": finalizers} if finalizers else {}), "spec": {"nodeName": "w1"}}
    seen = found(system=[item]).not_going
    assert [(one.name, one.node, one.held) for one in seen] == [("kube-system/coredns-x", "w1", one) for one in held]


@pytest.mark.parametrize(
    ("name", "spec", "named"),
    [("coredns", {"paused": True}, True), ("coredns", {}, False), ("x", {"paused": True}, False)],
)
def test_coredns_that_is_paused(name, spec, named):
    metadata = {"namespace": "kube-system", "name": name, "generation": 1, "creationTimestamp": ago(9)}
    assert found(deployments=[{"metadata": metadata, "spec": spec}]).paused is named


def test_the_endpoints_of_a_service_are_those_that_are_ready():
    both = [{"addresses": ["10.0.0.2"], "conditions": {"ready": False}}, {"addresses": ["10.0.0.1"]}]
    assert found(dns=[{"endpoints": both}]).endpoints["kube-system/kube-dns"] == ("10.0.0.1",)


BINDING = 'binding rejected: running Bind plugin "DefaultBinder": pods "p" is forbidden: no'
VOLUME = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'


@pytest.mark.parametrize(
    ("reason", "message", "age", "named"),
    [
        ("SchedulerError", BINDING, 90, True),
        ("SchedulerError", BINDING, 5, False),
        ("SchedulerError", VOLUME, 90, False),
        ("Unschedulable", "0/4 nodes are available", 90, False),
    ],
)
def test_a_pod_that_the_scheduler_fails_to_bind(reason, message, age, named):
    condition = {
        "type": "PodScheduled", "status": "False", "reason": reason, "message": message,
        "lastTransitionTime": ago(age),
    }  # fmt: skip
    seen = [(one.name, one.why) for one in found(pods=[pod(conditions=[condition])]).unbound]
    assert seen == [("x/p", BINDING)] * named


NO_ADDRESS = "no IP addresses available in range set: 10.244.1.1-10.244.1.254"


@pytest.mark.parametrize(
    ("status", "age", "uid", "named"),
    [("False", 90, "u", True), ("False", 5, "u", False), ("True", 90, "u", False), ("False", 90, "other", False)],
)
def test_a_pod_that_gets_no_network_on_its_node(status, age, uid, named):
    """The node was Ready, and no pod started there. One that waits for a volume, or a Secret, is its owner's."""
    sandbox = {"type": "PodReadyToStartContainers", "status": status, "lastTransitionTime": ago(age)}
    one = pod(conditions=[sandbox], nodeName="w1")
    one["metadata"]["uid"] = "u"
    events = [
        {"involvedObject": {"uid": uid}, "lastTimestamp": when, "message": message}
        for when, message in (
            (ago(3), f'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for '
             f'sandbox "5d3f0a": plugin type="flannel" failed (add): {NO_ADDRESS}'),
            (ago(9), "older"),
        )
    ]  # fmt: skip
    seen = [(one.name, one.node, one.why) for one in found(unstarted=[one], events=events).unstarted]
    why = f'failed to setup network: plugin type="flannel" failed (add): {NO_ADDRESS}'
    assert seen == [("x/p", "w1", why)] * named


@pytest.mark.parametrize(
    ("networks", "named"),
    [
        ([("kubernetes", True, "True")], ["kubernetes"]),
        ([("kubernetes", False, "False")], ["kubernetes"]),
        ([("kubernetes", False, "True")], []),
        ([("kubernetes", True, "True"), ("more", False, "True")], []),
        ([], []),
    ],
)
def test_services_get_addresses_while_one_network_is_ready(networks, named):
    items = [
        {
            "metadata": {"name": name} | ({"deletionTimestamp": ago(5)} if deleted else {}),
            "status": {"conditions": [{"type": "Ready", "status": ready, "message": "no"}]},
        }
        for name, deleted, ready in networks
    ]
    assert [one.name for one in found(networks=items).service_networks] == named


OWN, OTHER = (
    {"metadata": {"namespace": space, "name": name}} for space, name in (("kube-system", "kube-dns"), ("x", "y"))
)


@pytest.mark.parametrize(
    ("address", "holders", "expected"),
    [
        ("10.96.0.10", [OWN], {}),
        ("10.96.7.7", [], {"address": "10.96.7.7", "holder": ""}),
        ("10.96.7.7", [OTHER], {"address": "10.96.7.7", "holder": "x/y"}),
        (None, [OTHER], {"address": "", "holder": "x/y"}),
        (None, [], {}),
    ],
)
def test_whose_the_address_of_cluster_dns_is(address, holders, expected):
    listed = {PATHS["services"]: {"items": holders}}
    listed |= {findings.DNS_SERVICE: {"spec": {"clusterIP": address}}} if address else {}
    assert findings.displaced_dns(listed, "10.96.0.10") == expected


def test_a_pod_that_gets_no_token_does_not_start_and_one_without_its_own_volume_is_its_owners():
    waiting = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": ago(90)}
    one = pod(conditions=[waiting], nodeName="w1")
    one["metadata"]["uid"] = "u"

    def mount(volume):
        message = f'MountVolume.SetUp failed for volume "{volume}" : failed to fetch token: forbidden'
        return [{"involvedObject": {"uid": "u"}, "lastTimestamp": ago(3), "message": message}]

    (seen,) = found(unstarted=[one], mounts=mount("kube-api-access-x7k2p")).unstarted
    assert seen.why == "MountVolume.SetUp failed for its token's volume: failed to fetch token: forbidden"
    assert found(unstarted=[one], mounts=mount("data")).unstarted == ()
