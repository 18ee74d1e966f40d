"""What the API server on this host reports of the cluster that no single object of haplane's shows."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from haplane.facts.on_host.corefile import COREFILE, Log, corefile_error, log_reader
from haplane.facts.on_host.kubernetes import KUBE_SYSTEM, MOST_TEXT, ask
from haplane.facts.on_host.pods import seconds_since
from haplane.facts.on_host.probe import read
from haplane.facts.on_host.trials import full_name
from haplane.facts.on_host.webhooks import ready_addresses, slices_path

MOST_FOUND = 20
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices?limit=500"
TERMINATING = "/api/v1/namespaces?fieldSelector=status.phase%3DTerminating&limit=50"
UNSCHEDULED = "/api/v1/pods?fieldSelector=status.phase%3DPending%2Cspec.nodeName%3D&limit=100"
UNSTARTED = "/api/v1/pods?fieldSelector=status.phase%3DPending%2Cspec.nodeName%21%3D&limit=100"
SANDBOX_EVENTS = "/api/v1/events?fieldSelector=reason%3DFailedCreatePodSandBox&limit=200"
"""Asked for only where a pod has waited for one."""
DEPLOYMENTS = "/apis/apps/v1/deployments?limit=200"
SYSTEM_PODS = (
    f"{KUBE_SYSTEM}/pods?labelSelector=k8s-app%20in%20%28kube-dns%2Ckube-proxy%29&limit=200",
    "/api/v1/namespaces/kube-flannel/pods?limit=200",
)
SERVICES = {
    "default/kubernetes": slices_path("default", "kubernetes"),
    "kube-system/kube-dns": slices_path("kube-system", "kube-dns"),
}
OF_THIS_SANDBOX = re.compile(
    r' for sandbox "[0-9a-f]+"|^Failed to create pod sandbox: |rpc error: code = \w+ desc = '
)
IDLE_SECONDS = 60.0
"""So long a scheduler or a controller may take."""
STUCK_SECONDS = 180.0
"""So long a namespace may take to go."""
RESTARTS, HEALTHY_SECONDS = 3, 300.0
"""A container that ended as often, and ran for less than that before and since, crashes again and again."""
LOST = 255
"""The exit code of a container whose end nobody saw: its host went down."""
OF_DELETION = (
    *("NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure"),
    *("NamespaceDeletionContentFailure", "NamespaceFinalizersRemaining", "NamespaceContentRemaining"),
)
"""The conditions that say why a namespace is still there, the most telling first (pkg/controller/namespace)."""

Listed = dict[str, Any]


def findings(port: int) -> dict[str, Any] | None:
    """Each question's answer; those that were not understood are in ``unread``. None while nobody answers."""
    config = read("/etc/kubernetes/admin.conf")
    if config is None:
        return None
    paths = [
        APISERVICES,
        TERMINATING,
        UNSCHEDULED,
        UNSTARTED,
        DEPLOYMENTS,
        *SYSTEM_PODS,
        *SERVICES.values(),
        COREFILE,
    ]
    try:
        listed = ask(port, config, paths)
        listed |= ask(port, config, [SANDBOX_EVENTS]) if without_sandbox(listed) else {}
        return found_in(listed, log_reader(port, config))
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return None


def found_in(listed: Listed, log: Log) -> dict[str, Any]:
    """The same of what was listed, by path."""
    found: dict[str, Any] = {"unread": {}}
    questions: dict[str, Callable[[Listed], Any]] = {**QUESTIONS, "corefile": partial(refused_corefile, log=log)}
    for name, question in questions.items():
        try:
            found[name] = question(listed)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            found["unread"][name] = repr(error)[:MOST_TEXT]
    return found


def items(listed: Listed, path: str) -> list[dict[str, Any]]:
    """Of a list, none where there is no such list."""
    return list(listed.get(path, {}).get("items", []))


def api_services(listed: Listed) -> list[dict[str, Any]]:
    """Those that another server provides and that are not available."""
    found = []
    for item in items(listed, APISERVICES):
        of = {one["type"]: one for one in item.get("status", {}).get("conditions", [])}
        available = of.get("Available", {})
        if item["spec"].get("service") and available.get("status") == "False":
            found.append({"name": item["metadata"]["name"], "why": str(available.get("message"))[:MOST_TEXT]})
    return found[:MOST_FOUND]


def terminating(listed: Listed) -> list[dict[str, Any]]:
    """Namespaces that are being deleted for longer than STUCK_SECONDS, and what their conditions say."""
    found = []
    for item in items(listed, TERMINATING):
        if seconds_since(item["metadata"]["deletionTimestamp"]) > STUCK_SECONDS:
            conditions = item.get("status", {}).get("conditions", [])
            of = {one["type"]: str(one.get("message")) for one in conditions if one.get("status") == "True"}
            whys = [of[kind] for kind in OF_DELETION if kind in of]
            found.append({"name": item["metadata"]["name"], "why": "; ".join(whys)[:MOST_TEXT]})
    return found[:MOST_FOUND]


def unscheduled(listed: Listed) -> list[str]:
    """Pods that no scheduler has looked at: one that finds no node for a pod says so in its condition."""
    return [
        full_name(item)
        for item in items(listed, UNSCHEDULED)
        if item["spec"].get("schedulerName", "default-scheduler") == "default-scheduler"
        and not any(one["type"] == "PodScheduled" for one in item.get("status", {}).get("conditions", []))
        and seconds_since(item["metadata"]["creationTimestamp"]) > IDLE_SECONDS
        and "deletionTimestamp" not in item["metadata"]
    ][:MOST_FOUND]


def false_since(item: dict[str, Any], kind: str, reason: str = "") -> dict[str, Any] | None:
    """A pod's condition that has been false for longer than IDLE_SECONDS, for that reason if one is given."""
    for one in item.get("status", {}).get("conditions", []):
        lasts = one["type"] == kind and one["status"] == "False" and "deletionTimestamp" not in item["metadata"]
        if lasts and reason in ("", one.get("reason")) and seconds_since(one["lastTransitionTime"]) > IDLE_SECONDS:
            return dict(one)
    return None


def unbound(listed: Listed) -> list[dict[str, Any]]:
    """Pods that the scheduler found a node for, or could have, but for an error. That of a volume is its driver's."""
    return [
        {"name": full_name(item), "why": str(found.get("message"))[:MOST_TEXT]}
        for item in items(listed, UNSCHEDULED)
        if (found := false_since(item, "PodScheduled", "SchedulerError"))
        and "VolumeBinding" not in str(found.get("message"))
    ][:MOST_FOUND]


def without_sandbox(listed: Listed) -> list[dict[str, Any]]:
    """Pods that are on a node and have waited there for their network, or for a volume."""
    return [item for item in items(listed, UNSTARTED) if false_since(item, "PodReadyToStartContainers")]


def unstarted(listed: Listed) -> list[dict[str, Any]]:
    """Those whose kubelet cannot give them a sandbox, and why."""
    whys = {
        one["involvedObject"].get("uid"): OF_THIS_SANDBOX.sub("", str(one.get("message")))[:MOST_TEXT]
        for one in sorted(items(listed, SANDBOX_EVENTS), key=lambda one: one.get("lastTimestamp") or "")
    }
    return [
        {"name": full_name(item), "node": item["spec"]["nodeName"], "why": whys[item["metadata"]["uid"]]}
        for item in without_sandbox(listed)
        if item["metadata"]["uid"] in whys
    ][:MOST_FOUND]


def unobserved(listed: Listed) -> list[str]:
    """Deployments whose last change no controller has looked at."""
    return [
        full_name(item)
        for item in items(listed, DEPLOYMENTS)
        if item.get("status", {}).get("observedGeneration") != item["metadata"]["generation"]
        and "deletionTimestamp" not in item["metadata"]
        and seconds_since(last_change(item["metadata"])) > IDLE_SECONDS
    ][:MOST_FOUND]


def last_change(metadata: dict[str, Any]) -> str:
    """When somebody last wrote anything but the status."""
    written = [
        str(one["time"])
        for one in metadata.get("managedFields", [])
        if one.get("time") and one.get("subresource", "") != "status"
    ]
    return max([str(metadata["creationTimestamp"]), *written])


def crashing(listed: Listed) -> list[dict[str, Any]]:
    """Containers of kube-proxy, CoreDNS and flannel that are ready now, and ended soon after their last starts."""
    found = []
    for item in [one for path in SYSTEM_PODS for one in items(listed, path)]:
        for one in item.get("status", {}).get("containerStatuses", []):
            ended, running = one.get("lastState", {}).get("terminated"), one.get("state", {}).get("running")
            often = one.get("ready") and one.get("restartCount", 0) >= RESTARTS
            if ended and running and often and crashed_soon(ended, running):
                found.append(
                    {
                        "name": full_name(item),
                        "node": str(item["spec"].get("nodeName", "")),
                        "why": f"{one['name']} ended {one['restartCount']} times, last with {ended.get('reason')}, "
                        f"exit {ended['exitCode']}"[:MOST_TEXT],
                    }
                )
    return found[:MOST_FOUND]


def crashed_soon(ended: dict[str, Any], running: dict[str, Any]) -> bool:
    """Whether the last run was short and ended badly, and the one since is young."""
    young = seconds_since(running["startedAt"]) < HEALTHY_SECONDS
    lasted = seconds_since(ended["startedAt"]) - seconds_since(ended["finishedAt"])
    return ended["exitCode"] not in (0, LOST) and young and lasted < HEALTHY_SECONDS


def refused_corefile(listed: Listed, log: Log) -> str:
    """Why CoreDNS does not take the Corefile that there is."""
    pods = [
        one for one in items(listed, SYSTEM_PODS[0]) if one["metadata"].get("labels", {}).get("k8s-app") == "kube-dns"
    ]
    return corefile_error(pods, last_change(listed[COREFILE]["metadata"]), log) if COREFILE in listed else ""


def endpoints(listed: Listed) -> dict[str, list[str]]:
    """Service -> the addresses of its endpoints that are ready."""
    return {
        service: sorted({address for one in items(listed, path) for address in ready_addresses(one)})[:100]
        for service, path in SERVICES.items()
    }


QUESTIONS: dict[str, Callable[[Listed], Any]] = {
    "api_services": api_services,
    "terminating": terminating,
    "unscheduled": unscheduled,
    "unbound": unbound,
    "unstarted": unstarted,
    "unobserved": unobserved,
    "crashing": crashing,
    "endpoints": endpoints,
}
