import json
import socket
import time
from datetime import UTC, datetime

import pytest

from haplane.domain.cluster_health import Workloads
from haplane.domain.status.causes import CRASHES
from haplane.drills.probing.client import AGENT
from haplane.facts.on_host import webhooks, workloads
from haplane.facts.on_host.webhooks import service_path, slices_path
from haplane.facts.on_host.workloads import fields_digest, from_api, reason_paths

NOW = datetime.now(UTC).isoformat().replace("+00:00", "Z")
CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubelet-config"


def daemon_set(ready=3, manager="haplane"):
    return {
        "metadata": {
            "namespace": "kube-flannel", "name": "flannel", "generation": 2,
            "managedFields": [{"manager": manager, "fieldsV1": {}}, {"manager": "kube-controller-manager"}],
        },
        "spec": {"selector": {"matchLabels": {"app": "flannel"}}, "template": {"spec": {}}},
        "status": {"desiredNumberScheduled": 3, "numberReady": ready, "observedGeneration": 2},
    }  # fmt: skip


def webhook(policy="Fail", service=("policy", "policy")):
    namespace, name = service
    client = {"service": {"namespace": namespace, "name": name}} if service else {"url": "https://192.0.2.1/"}
    one = {"name": "pods.policy.example.org", "clientConfig": client, "rules": [{"resources": ["pods"]}]}
    return {"metadata": {"name": "bugs-policy"}, "webhooks": [one | ({"failurePolicy": policy} if policy else {})]}


def owned(*fields, manager="kubeadm", **others):
    entries = [{"manager": manager, "fieldsV1": {"f:data": {name: {} for name in fields}}}]
    return {"metadata": {"name": "kubelet-config", "managedFields": [*entries, *others.get("besides", ())]}}


def look(*, sets=(), hooks=(), pods=(), leases=None, more=None, objects=None, attempt=lambda _: (201, "")):
    """What is made of an API server that tells this, and of everything else that it is not there; and its paths."""
    told = {
        workloads.DAEMON_SETS: {"items": list(sets)},
        workloads.CONTROL_PLANE_PODS: {"items": list(pods)},
        workloads.WEBHOOKS["validatingwebhookconfiguration"]: {"items": list(hooks)},
        workloads.WEBHOOKS["mutatingwebhookconfiguration"]: {"items": []},
        workloads.RECORD: {"data": {} if objects is None else {"objects": json.dumps(objects)}},
        **{f"{workloads.LEASES}{name}": one for name, one in (leases or {}).items()},
        **(more or {}),
    }
    asked = []

    def api(paths, accept=None):
        asked.extend(paths)
        return {path: told[path] for path in paths if path in told}

    return Workloads.model_validate(from_api(api, attempt)), asked


def test_a_healthy_cluster_costs_one_round_of_few_questions():
    found, asked = look(sets=[daemon_set()])
    assert [(one.name, one.desired, one.ready) for one in found.daemon_sets] == [("kube-flannel/flannel", 3, 3)]
    assert len(asked) <= 9


@pytest.mark.parametrize("manager", ["helm", AGENT])
def test_daemon_sets_of_others_and_of_drills_are_not_looked_at(manager):
    assert look(sets=[daemon_set(manager=manager)])[0].daemon_sets == ()


FLANNEL = "/apis/apps/v1/namespaces/kube-flannel/daemonsets/flannel"


def test_whoever_calls_themselves_haplane_has_no_daemon_set_of_ours():
    """Any user with a namespace made the cluster unhealthy by `kubectl apply --field-manager=haplane`.

    And with 200 of them, named to be listed first, hid that kube-proxy had no pods.
    """
    theirs = daemon_set(ready=0)
    theirs["metadata"] |= {"namespace": "a-team", "name": "mine"}
    found, asked = look(sets=[theirs], more={FLANNEL: daemon_set()}, objects={FLANNEL: "", CONFIG: ""})
    assert [one.name for one in found.daemon_sets] == ["kube-flannel/flannel"]
    assert workloads.DAEMON_SETS not in asked


def test_why_a_pod_is_missing_is_in_the_last_warning():
    pods, events = reason_paths(daemon_set())
    running = {"metadata": {"name": "flannel-1"}, "spec": {"nodeName": "m1"}, "status": {"phase": "Running"}}
    warnings = [
        {"lastTimestamp": "2026-11-28T10:00:00Z", "reason": "FailedCreate", "message": "old"},
        {"lastTimestamp": "2026-11-28T11:00:00Z", "reason": "FailedCreate", "message": "failed calling webhook"},
    ]
    found, _ = look(sets=[daemon_set(ready=2)], more={pods: {"items": [running]}, events: {"items": warnings}})
    assert found.daemon_sets[0].warning == "FailedCreate: failed calling webhook"
    assert [pod.node for pod in found.daemon_sets[0].pods] == ["m1"]


def test_a_container_that_waits_says_what_for():
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    pod = {
        "metadata": {"name": "kube-scheduler-m1", "labels": {"component": "kube-scheduler"}},
        "spec": {"nodeName": "m1"},
        "status": {"phase": "Running", "containerStatuses": [{"state": state}]},
    }
    (found,) = look(pods=[pod])[0].pods
    assert (found.component, found.ready, found.reason) == ("kube-scheduler", False, "CrashLoopBackOff")
    assert found.message == "back-off 40s restarting failed container"


def restarted(seconds_ago, ready=False, restarts=7):
    started = datetime.fromtimestamp(time.time() - seconds_ago, UTC).isoformat().replace("+00:00", "Z")
    container = {
        "name": "kube-scheduler", "ready": ready, "restartCount": restarts,
        "state": {"running": {"startedAt": started}}, "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
    }  # fmt: skip
    unready = "containers with unready status: [kube-scheduler]"
    conditions = [{"type": "Ready", "status": str(ready), "reason": "ContainersNotReady", "message": unready}]
    return {
        "metadata": {"name": "kube-scheduler-m1"},
        "spec": {"nodeName": "m1"},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container]},
    }


@pytest.mark.parametrize(
    ("seconds_ago", "restarts", "reason", "message"),
    [
        (3, 7, CRASHES, "kube-scheduler last ended Error, exit 1, 7 restarts"),
        (3, 1, "crashed", "kube-scheduler last ended Error, exit 1, 1 restart"),
        (86400, 7, "ContainersNotReady", "containers with unready status: [kube-scheduler]"),
    ],
)
def test_a_pod_that_crashes_in_a_loop_is_not_called_running_between_two_starts(
    seconds_ago, restarts, reason, message
):
    (found,) = look(pods=[restarted(seconds_ago, restarts=restarts)])[0].pods
    assert (found.ready, found.reason, found.message) == (False, reason, message)


def test_a_pod_that_restarted_once_long_ago_is_ready():
    (found,) = look(pods=[restarted(86400, ready=True, restarts=1)])[0].pods
    assert found.ready


@pytest.mark.parametrize(
    ("hook", "endpoints", "named"),
    [
        (webhook(), None, True),
        (webhook(policy=None), [], True),
        (webhook(), [{"addresses": ["192.0.2.7"], "conditions": {"ready": False}}], True),
        (webhook(), [{"addresses": ["192.0.2.7"], "conditions": {"ready": True}}], False),
        (webhook(), [{"addresses": ["192.0.2.7"]}], False),
        (webhook(policy="Ignore"), None, False),
    ],
)
def test_a_webhook_that_refuses_because_nobody_answers_is_named(hook, endpoints, named):
    slices = {} if endpoints is None else {slices_path("policy", "policy"): {"items": [{"endpoints": endpoints}]}}
    found = look(hooks=[hook], more=slices)[0].webhooks
    assert [(one.name, one.target) for one in found] == [("bugs-policy", "policy/policy")] * named


def test_a_webhook_that_answers_without_sense_is_named_by_the_pods_that_it_keeps_away():
    """It takes connections, so it looked alive; API servers get no review from it."""
    why = 'Internal error occurred: failed calling webhook "pods.policy.example.org": failed to call webhook: 404'
    slices = {slices_path("policy", "policy"): {"items": [{"endpoints": [{"addresses": ["192.0.2.7"]}]}]}}
    found = look(hooks=[webhook()], sets=[daemon_set()], more=slices, attempt=lambda _: (500, why))[0]
    assert [(one.name, one.target, one.why) for one in found.webhooks] == [("bugs-policy", "policy/policy", why)]
    assert found.refused == {"kube-flannel/flannel": why}


@pytest.mark.parametrize(("policy", "field"), [("Ignore", "delaying"), ("Fail", "webhooks")])
def test_one_that_is_ignored_delays_where_it_hangs_and_not_where_it_refuses_connections(monkeypatch, policy, field):
    monkeypatch.setattr(webhooks, "WEBHOOK_SECONDS", 0.2)
    hook = webhook(policy)
    hook["webhooks"][0]["timeoutSeconds"] = 3
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        slices = [{"ports": [{"port": port}], "endpoints": [{"addresses": ["127.0.0.1"]}]}]
        more = {
            service_path("policy", "policy"): {"spec": {"ports": [{"port": 443}]}},
            slices_path("policy", "policy"): {"items": slices},
            "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system"}},
        }
        found, _ = look(hooks=[hook], more=more)
    [hanging] = getattr(found, field)
    assert (hanging.target, hanging.seconds) == ("policy/policy", 3)
    assert "timed out" in hanging.why
    assert found.namespaces == {"kube-system": {}}
    found, _ = look(hooks=[hook], more=more)
    assert (len(found.delaying), len(found.webhooks)) == (0, int(policy == "Fail"))


def test_an_object_that_was_deleted_and_is_still_there_is_no_object_that_is_there():
    kept = owned("f:kubelet")
    kept["metadata"]["deletionTimestamp"] = NOW
    found = look(objects={CONFIG: ""}, more={CONFIG: kept})[0]
    assert (found.held, found.missing) == ((CONFIG,), ())


def test_what_else_it_may_refuse_is_reported_with_it_and_only_then():
    system = {"metadata": {"name": "kube-system", "labels": {"a": "b"}}}
    more = {"/api/v1/namespaces/kube-system": system, CONFIG: owned("f:kubelet")}
    found = look(hooks=[webhook()], sets=[daemon_set()], objects={CONFIG: ""}, more=more)[0]
    assert [(one.resource, one.namespace) for one in found.own] == [
        ("configmaps", "kube-system"),
        ("pods", "kube-flannel"),
    ]
    assert found.namespaces == {"kube-system": {"a": "b"}}
    assert look(sets=[daemon_set()], objects={CONFIG: ""}, more=more)[0].own == ()


def test_who_leads_and_since_when():
    spec = {"holderIdentity": "m1_1", "renewTime": NOW}
    leases = look(leases={"kube-scheduler": {"spec": spec}})[0].leases
    assert leases["kube-scheduler"].holder == "m1_1"
    assert 0 <= leases["kube-scheduler"].age_seconds < time.time()
    assert (leases["kube-controller-manager"].holder, leases["kube-controller-manager"].age_seconds) == ("", None)


def test_an_object_that_was_deleted_or_changed_by_another_is_named():
    kept = owned("f:kubelet")
    record = {CONFIG: fields_digest(kept)}
    assert look(objects=record, more={CONFIG: kept})[0].missing == ()
    assert look(objects=record)[0].missing == (CONFIG,)
    besides = [{"manager": "kubectl-edit", "fieldsV1": {"f:data": {"f:kubelet": {}}}}]
    assert look(objects=record, more={CONFIG: owned(besides=besides)})[0].edited == (CONFIG,)
    assert look()[0].recorded is False
    assert look(objects={})[0].recorded is False, "somebody emptied it"
    broken = look(more={workloads.RECORD: {"data": {"objects": "{"}}})[0]
    assert (broken.recorded, broken.missing) == (False, ())


def test_labels_of_others_and_the_number_of_replicas_are_no_edit():
    mine = {"manager": "kubeadm", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}}}
    scaled = {"manager": "kubeadm", "fieldsV1": {"f:spec": {"f:template": {}}}}
    others = {"manager": "rancher", "fieldsV1": {"f:metadata": {"f:labels": {"f:project": {}}}}}
    status = {"manager": "kubeadm", "subresource": "status", "fieldsV1": {"f:status": {}}}
    before, after = ({"metadata": {"managedFields": entries}} for entries in ([mine], [others, scaled, status]))
    assert fields_digest(before) == fields_digest(after)
