"""A pod of every kind of controller on one node, and what becomes of it when that node dies or reboots. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = ("Deployment", "StatefulSet", "Job", "DaemonSet", "Pod")
LABEL = "haplane-drill-kind"
REPLACED = ("Deployment", "StatefulSet", "Job")
"""Whose controllers start a pod elsewhere. A DaemonSet's waits for its node; a bare pod is nobody's."""

EMPTY_DIRS = {"disk": {}, "memory": {"medium": "Memory"}}
"""Each pod's own volumes."""


def objects(image: str, node: str) -> list[tuple[str, dict[str, Any]]]:
    """One of each kind with one pod, by the path of its collection below a namespace's.

    Their pods prefer ``node``, may run on masters, and have an empty directory on disk and one in memory.
    """
    return [_object(kind, image, node) for kind in KINDS]


def _object(kind: str, image: str, node: str) -> tuple[str, dict[str, Any]]:
    name, labels = f"on-{kind.lower()}", {LABEL: kind}
    template = {"metadata": {"labels": labels}, "spec": _pod_spec(image, node, only=kind in ("DaemonSet", "Pod"))}
    selector = {"matchLabels": labels}
    metadata = {"name": name, "labels": labels}
    match kind:
        case "Pod":
            return "pods", {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": template["spec"]}
        case "Job":
            template["spec"]["restartPolicy"] = "Never"
            return "jobs", {
                "apiVersion": "batch/v1",
                "kind": kind,
                "metadata": metadata,
                "spec": {"template": template},
            }
    specific = {"StatefulSet": {"serviceName": name}}.get(kind, {})
    counted = {} if kind == "DaemonSet" else {"replicas": 1}
    spec = {"selector": selector, "template": template, **counted, **specific}
    return f"{kind.lower()}s", {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


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
