"""What the cluster needs so that pods run, as the API server on this host reports it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from haplane.facts.on_host.kubernetes import (
    ADMIN_CONF,
    KUBE_SYSTEM,
    KUBE_SYSTEM_OBJECTS,
    LEASES,
    METADATA_ONLY,
    MOST_TEXT,
    ODD_ANSWER,
    Ask,
    ask,
    credentials,
)
from haplane.facts.on_host.pods import held_up, is_pod_ready, seconds_since
from haplane.facts.on_host.probe import read
from haplane.facts.on_host.rights import lost_rights, lost_roles
from haplane.facts.on_host.trials import Attempt, full_name, hindered, refused_pods, trials
from haplane.facts.on_host.webhooks import (
    WEBHOOKS,
    failing,
    namespace_paths,
    own_objects,
    services_of,
    unanswered,
    waited_for,
    webhooks_with,
)

DAEMON_SETS = "/apis/apps/v1/daemonsets?limit=200"
DAEMON_SET = re.compile(r"/apis/apps/v1/namespaces/[^/]+/daemonsets/[^/]+")
COREDNS = KUBE_SYSTEM_OBJECTS["coredns"]
CONTROL_PLANE_PODS = f"{KUBE_SYSTEM}/pods?labelSelector=tier%3Dcontrol-plane&limit=100"
RECORD = f"{KUBE_SYSTEM}/configmaps/haplane"
LEADERS = ("kube-controller-manager", "kube-scheduler")
OURS = ("haplane", "kubeadm")
"""Field managers of what haplane applies itself, or has kubeadm apply."""
MOST_OBJECTS = 200

ENDED = ("Failed", "Succeeded")


def workloads(port: int) -> dict[str, Any] | None:
    """Pods, leases, webhooks and applied objects; None while the API server does not answer."""
    config = read(ADMIN_CONF)
    if config is None:
        return None
    try:
        context = credentials(config)
        with trials(port, context) as attempt:
            found = from_api(lambda paths, **how: ask(port, config, paths, **how), attempt)
        rights = {**found["hindered"], **lost_rights(port, context)}
        return {**found, "hindered": rights, "lost_roles": lost_roles(port)}
    except ODD_ANSWER:
        return None


def from_api(api: Ask, attempt: Attempt) -> dict[str, Any]:
    """Rounds of requests: what there is, then why some of it is not as it should be; and trials of its pods."""
    leases = {f"{LEASES}{name}": name for name in LEADERS}
    applied = recorded_objects(api([RECORD]).get(RECORD, {}))
    listed = api([*paths_of_daemon_sets(applied), CONTROL_PLANE_PODS, *WEBHOOKS.values(), *leases, COREDNS])
    sets = own_daemon_sets(listed, applied)
    hooks, lenient = webhooks_with("Fail", listed), webhooks_with("Ignore", listed)
    reasons = {name: reason_paths(one) for one in sets if lacks_pods(one) for name in [full_name(one)]}
    recorded = list(applied)[:MOST_OBJECTS]
    wanted = [*(path for paths in reasons.values() for path in paths), *services_of(hooks), *services_of(lenient)]
    more = api(wanted) if wanted else {}
    kept = api(recorded, accept=METADATA_ONLY) if recorded else {}
    owners = [("DaemonSet", one) for one in sets]
    owners += [("Deployment", listed[COREDNS])] if COREDNS in listed else []
    refused = refused_pods(owners, attempt)
    hampered = hindered(attempt, listed[CONTROL_PLANE_PODS]["items"])
    silent, delaying = unanswered(hooks, more), waited_for(unanswered(lenient, more))
    silent += failing(hooks, silent, [*refused.values(), *hampered.values()])
    objects = own_objects(kept, sets, listed[CONTROL_PLANE_PODS]["items"]) if silent or delaying else []
    return {
        "daemon_sets": [daemon_set(one, reasons.get(full_name(one)), more) for one in sets],
        "pods": [pod(one) for one in listed[CONTROL_PLANE_PODS]["items"]],
        "leases": {name: lease(listed.get(path)) for path, name in leases.items()},
        "webhooks": silent,
        "delaying": delaying,
        "refused": refused,
        "hindered": hampered,
        "own": objects,
        "namespaces": labels_of(api(namespace_paths(objects)).values()) if silent or delaying else {},
        "recorded": bool(applied),
        "held": [path for path, item in kept.items() if "deletionTimestamp" in item["metadata"]],
        "missing": [path for path in recorded if path not in kept],
        "edited": [path for path, item in kept.items() if applied[path] not in ("", fields_digest(item))],
    }


def recorded_objects(record: dict[str, Any]) -> dict[str, str]:
    """Path -> digest, as haplane has recorded what it applied; empty where what is there is no record."""
    with contextlib.suppress(ValueError, AttributeError):
        return dict(json.loads(record["data"]["objects"]).items()) if record.get("data", {}).get("objects") else {}
    return {}


def labels_of(items: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """By name."""
    return {item["metadata"]["name"]: item["metadata"].get("labels") or {} for item in items}


def paths_of_daemon_sets(applied: Iterable[str]) -> list[str]:
    """Those that haplane or kubeadm applied, by the record; where there is none, the list of all."""
    return [path for path in applied if DAEMON_SET.fullmatch(path)] or [DAEMON_SETS]


def own_daemon_sets(listed: dict[str, Any], applied: Iterable[str]) -> list[dict[str, Any]]:
    """The same as they are: a manager may be called anything, so without a record they are a guess."""
    paths = paths_of_daemon_sets(applied)
    if paths == [DAEMON_SETS]:
        return [one for one in listed[DAEMON_SETS]["items"] if is_ours(one)]
    return [listed[path] for path in paths if path in listed]


def is_ours(item: dict[str, Any]) -> bool:
    """Whether haplane or kubeadm applied it: kube-proxy, and whatever pod network the inventory names."""
    managers = {one.get("manager") for one in item["metadata"].get("managedFields", [])}
    return not managers.isdisjoint(OURS)


def lacks_pods(item: dict[str, Any]) -> bool:
    """Whether a node that should have its pod has none that is ready."""
    status = item.get("status", {})
    return bool(status.get("numberReady", 0) < status.get("desiredNumberScheduled", 0))


def reason_paths(item: dict[str, Any]) -> tuple[str, str]:
    """Where its pods are, and the events that explain why one is missing."""
    namespace = f"/api/v1/namespaces/{item['metadata']['namespace']}"
    labels = item["spec"]["selector"].get("matchLabels", {})
    selector = quote(",".join(f"{name}={value}" for name, value in labels.items()))
    about = quote(f"involvedObject.kind=DaemonSet,involvedObject.name={item['metadata']['name']},type=Warning")
    return (
        f"{namespace}/pods?labelSelector={selector}&limit=1000",
        f"{namespace}/events?fieldSelector={about}&limit=100",
    )


def daemon_set(item: dict[str, Any], reasons: tuple[str, str] | None, more: dict[str, Any]) -> dict[str, Any]:
    """How many nodes should have its pod, and have one that is ready; where not, its pods and the last warning."""
    status = item.get("status", {})
    pods, events = (more.get(path, {}).get("items", []) for path in reasons) if reasons else ([], [])
    last = max(events, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "", default=None)
    return {
        "name": full_name(item),
        "desired": status.get("desiredNumberScheduled", 0),
        "ready": status.get("numberReady", 0),
        "pods": [pod(one) for one in pods],
        "warning": f"{last.get('reason')}: {last.get('message')}"[:MOST_TEXT] if last else None,
        "selects": item["spec"].get("template", {}).get("spec", {}).get("nodeSelector") or {},
        "observed": status.get("observedGeneration") == item["metadata"].get("generation"),
    }


def pod(item: dict[str, Any]) -> dict[str, Any]:
    """A pod's node, whether it is ready, and what keeps it from that."""
    reason, message = held_up(item)
    return {
        "name": item["metadata"]["name"],
        "node": item["spec"].get("nodeName") or affine_node(item),
        "component": item["metadata"].get("labels", {}).get("component", ""),
        "ready": is_pod_ready(item),
        "ended": item.get("status", {}).get("phase") in ENDED,
        "reason": reason,
        "message": message,
    }


def affine_node(item: dict[str, Any]) -> str:
    """The node that a DaemonSet's pod is for, while the scheduler has not bound it."""
    affinity = item["spec"].get("affinity", {}).get("nodeAffinity", {})
    terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", [])
    fields = [field for term in terms for field in term.get("matchFields", [])]
    return next((str(field["values"][0]) for field in fields if field.get("key") == "metadata.name"), "")


def lease(item: dict[str, Any] | None) -> dict[str, Any]:
    """Who leads, and how many seconds ago it renewed its lease, by this host's clock; None when nobody ever has."""
    spec = (item or {}).get("spec", {})
    renewed = spec.get("renewTime")
    return {
        "holder": str(spec.get("holderIdentity") or "")[:MOST_TEXT],
        "age_seconds": seconds_since(renewed) if renewed else None,
    }


def fields_digest(item: dict[str, Any]) -> str:
    """Of the fields that haplane and kubeadm own: a field that another changes or removes is no longer theirs.

    What others add, and how many replicas there are, is none of it.
    """
    owned = [
        one.get("fieldsV1", {})
        for one in item["metadata"].get("managedFields", [])
        if one.get("manager") in OURS and one.get("subresource", "") == ""
    ]
    for fields in owned:
        fields.get("f:spec", {}).pop("f:replicas", None)
    return hashlib.sha256(json.dumps(owned, sort_keys=True).encode()).hexdigest()[:32]
