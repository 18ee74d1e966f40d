"""A pod of every kind of controller on one node, and what becomes of it when that node dies or reboots. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = ("Deployment", "StatefulSet", "Job", "DaemonSet", "Pod")
LABEL = "haplane-drill-kind"
WITH_VOLUME = ("Deployment-RWO", "StatefulSet-RWO")
"""Kinds whose pod has a volume besides that only one node can have at a time (ReadWriteOnce)."""

CLAIMS = {"Deployment-RWO": "on-deployment-rwo", "StatefulSet-RWO": "data-on-statefulset-rwo-0"}
"""Of the volumes: a StatefulSet's controller makes the claim and gives it this name."""

NOT_REPLACED = ("DaemonSet", "Pod")
"""No controller starts another pod elsewhere: a DaemonSet's waits for its node; a bare pod is nobody's."""

WITHOUT_THE_NODE = ("Deployment", "Job")
"""Kinds that need neither the old pod's name nor its volume: another pod starts as soon as the old one is deleted."""

EMPTY_DIRS = {"disk": {}, "memory": {"medium": "Memory"}}
"""Each pod's own volumes."""


Made = tuple[str, dict[str, Any]]
"""The path of a collection, and an object for it."""

GROUPS = {"v1": "/api/v1", "batch/v1": "/apis/batch/v1", "apps/v1": "/apis/apps/v1"}


def objects(namespace: str, image: str, node: str, kinds: Sequence[str] = KINDS) -> Iterator[Made]:
    """One of each kind with one pod, and the claim that a Deployment needs beforehand.

    Their pods prefer ``node``, may run on masters, and have an empty directory on disk and one in memory.
    """
    for kind in kinds:
        if kind == "Deployment-RWO":
            name = CLAIMS[kind]
            yield _made(namespace, "v1", "PersistentVolumeClaim", {"name": name}, _claim(namespace, name))
        yield _object(namespace, kind, image, node)


def _object(namespace: str, kind: str, image: str, node: str) -> Made:
    base, name, labels = kind.partition("-")[0], f"on-{kind.lower()}", {LABEL: kind}
    pod = _pod_spec(image, node, only=base in NOT_REPLACED)
    metadata = {"name": name, "labels": labels}
    if kind in WITH_VOLUME:
        pod["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    if kind == "Deployment-RWO":
        pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": CLAIMS[kind]}})
    template = {"metadata": {"labels": labels}, "spec": pod}
    if base == "Pod":
        return _made(namespace, "v1", base, metadata, pod)
    if base == "Job":
        pod["restartPolicy"] = "Never"
        return _made(namespace, "batch/v1", base, metadata, {"template": template})
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    if base != "DaemonSet":
        spec["replicas"] = 1
    if base == "StatefulSet":
        spec["serviceName"] = name
    if kind == "StatefulSet-RWO":
        claim = {"metadata": {"name": "data"}, "spec": _claim(namespace, CLAIMS[kind])}
        spec["volumeClaimTemplates"] = [claim]
    return _made(namespace, "apps/v1", base, metadata, spec)


def _made(namespace: str, version: str, kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Made:
    body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return f"{GROUPS[version]}/namespaces/{namespace}/{kind.lower()}s", body


def _claim(namespace: str, name: str) -> dict[str, Any]:
    """For the volume that was made for it, whatever the cluster's default class is."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "volumeName": f"{namespace}-{name}",
        "resources": {"requests": {"storage": "1Mi"}},
    }


def _pod_spec(image: str, node: str, *, only: bool) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    affinity = (
        {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        if only
        else {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}
    )
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in EMPTY_DIRS]
    return {
        "containers": [{"name": "pause", "image": image, "volumeMounts": mounts}],
        "volumes": [{"name": name, "emptyDir": settings} for name, settings in EMPTY_DIRS.items()],
        "affinity": {"nodeAffinity": affinity},
        "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
    }


@dataclass(frozen=True)
class Seen:
    """A pod as the API shows it at one moment."""

    uid: str
    name: str
    address: str
    restarts: int


@dataclass
class Fate:
    """What became of one kind's pod, in seconds from the fault; None has not happened.

    ``serving``: a pod is ready that was started since, be it this one restarted or another; ``then`` is that pod.
    """

    deleted: float | None = None
    gone: float | None = None
    serving: float | None = None
    then: Seen | None = None


def seen(pod: Mapping[str, Any]) -> Seen:
    """What is told of a pod."""
    status = pod.get("status", {})
    restarts = sum(one["restartCount"] for one in status.get("containerStatuses", ()))
    return Seen(pod["metadata"]["uid"], pod["metadata"]["name"], status.get("podIP", ""), restarts)


def note(fates: Mapping[str, Fate], pods: Sequence[dict[str, Any]], first: Mapping[str, Seen], now: float) -> None:
    """Take what is new from the present pods. ``first`` are those before the fault, by kind."""
    for kind, fate in fates.items():
        mine = [pod for pod in pods if pod["metadata"].get("labels", {}).get(LABEL) == kind]
        old = [pod for pod in mine if pod["metadata"]["uid"] == first[kind].uid]
        if fate.deleted is None and (not old or "deletionTimestamp" in old[0]["metadata"]):
            fate.deleted = now
        if fate.gone is None and not old:
            fate.gone = now
        if fate.serving is None and (started := [pod for pod in mine if _started(pod, first[kind])]):
            fate.serving, fate.then = now, seen(started[0])


def _started(pod: Mapping[str, Any], first: Seen) -> bool:
    now = seen(pod)
    return is_ready(pod) and (now.uid != first.uid or now.restarts > first.restarts)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
