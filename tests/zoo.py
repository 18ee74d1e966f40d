"""API objects for tests of what a drain costs, in the API server's own shapes."""

import itertools
import json
from datetime import UTC, datetime

from haplane.domain.drain.cluster import parse_workloads

NOW = datetime(2026, 11, 29, 1, 0, tzinfo=UTC)
NUMBERS = itertools.count(1)
SCHEDULED, READY = "2026-11-29T00:00:00Z", "2026-11-29T00:00:07Z"


def node(name, *, labels=None, taints=(), ready=True, cordoned=False, cpu="4", pods="110"):
    return {
        "metadata": {"name": name, "uid": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"unschedulable": cordoned, "taints": list(taints)},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "nodeInfo": {"bootID": "b"},
        },
    }


def owner(kind, name):
    groups = {"Job": "batch/v1", "TaskRun": "tekton.dev/v1", "Workflow": "argoproj.io/v1alpha1"}
    groups |= {"StrimziPodSet": "core.strimzi.io/v1", "ReplicationController": "v1"}
    group = groups.get(kind, "apps/v1")
    return {"kind": kind, "name": name, "uid": f"{kind}-{name}", "controller": True, "apiVersion": group}


def owned(kind, name, *above, on="", **metadata):
    """An owner; ``on`` is the node that its template names."""
    metadata |= {"name": name, "namespace": "default", "uid": f"{kind}-{name}", "ownerReferences": [*above]}
    return {"metadata": metadata, "spec": {"template": {"spec": {"nodeName": on}}}}


def pod(name, of=None, *, on="n1", ready=True, phase="Running", labels=None, **changed):
    metadata = {"name": name, "namespace": "default", "uid": f"{name}-{next(NUMBERS)}", "labels": labels or {}}
    if of:
        metadata["ownerReferences"] = [of]
    for field in ("annotations", "finalizers", "deletionTimestamp"):
        if field in changed:
            metadata[field] = changed.pop(field)
    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": SCHEDULED}]
    conditions.append({"type": "Ready", "status": str(ready), "lastTransitionTime": READY})
    container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": "100m", "memory": "10Mi"}}}
    spec = {"nodeName": on, "containers": [container | changed.pop("container", {})], **changed}
    statuses = [{"name": "c", "restartCount": 0, "containerID": "containerd://1", "ready": ready}]
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses},
    }


def budget(name, labels, *, allowed, healthy, desired, expected, policy=None, generation=1, observed=1, failure=None):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "generation": generation},
        "spec": {"selector": {"matchLabels": labels}, "unhealthyPodEvictionPolicy": policy},
        "status": {
            "observedGeneration": observed, "disruptionsAllowed": allowed, "currentHealthy": healthy,
            "desiredHealthy": desired, "expectedPods": expected,
            "conditions": [
                {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": failure}
            ] if failure else [],
        },
    }  # fmt: skip


def claim(name, *modes, volume=""):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"accessModes": list(modes), "volumeName": volume},
    }


def local_volume(name, on, key="kubernetes.io/hostname", **source):
    """Of a CSI driver when that is the ``source``."""
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": [on]}]}
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}
    return {
        "metadata": {"name": name, "uid": name},
        "spec": {**(source or {"local": {"path": "/mnt/disk"}}), **affinity},
    }


def job(name, *, failed=0, limit=6, per_index=None, on_eviction=None, on=""):
    rules = [{"action": on_eviction, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    policy = {"rules": rules} if on_eviction else None
    spec = {"backoffLimit": limit, "backoffLimitPerIndex": per_index, "podFailurePolicy": policy}
    spec |= {"template": {"spec": {"nodeName": on}}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"Job-{name}"},
        "spec": spec,
        "status": {"failed": failed},
    }


def volume(name, **source):
    return {"name": name, **source}


def workloads(*pods, nodes=None, **others):
    """As a master returns them; two nodes unless told otherwise."""
    known = {one["uid"] for each in pods for one in each["metadata"].get("ownerReferences", ())}
    owners = others.pop("owners", None)
    if owners is None:
        owners = [owned(*one.split("-", 1)) for one in sorted(known) if not one.startswith("Job-")]
    document = {"pods": pods, "nodes": nodes or [node("n1"), node("n2")], "owners": owners, **others}
    return parse_workloads("m1", json.dumps(document).encode())
