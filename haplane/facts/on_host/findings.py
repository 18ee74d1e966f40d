"""What the API server on this host reports of the cluster that no single object of haplane's shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from haplane.facts.on_host.corefile import COREFILE, Log, corefile_error, log_reader, silent_forwards
from haplane.facts.on_host.kubernetes import ADMIN_CONF, KUBE_SYSTEM, MOST_TEXT, NO_ANSWER, ask
from haplane.facts.on_host.own_pods import crashing_pods, lingering_pods
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
MOUNT_EVENTS = "/api/v1/events?fieldSelector=reason%3DFailedMount&limit=200"
"""Both are asked for only where a pod has waited for its network or a volume."""
DEPLOYMENTS = "/apis/apps/v1/deployments?limit=200"
SYSTEM_PODS = (f"{KUBE_SYSTEM}/pods?limit=500", "/api/v1/namespaces/kube-flannel/pods?limit=200")
SERVICES = {
    "default/kubernetes": slices_path("default", "kubernetes"),
    "kube-system/kube-dns": slices_path("kube-system", "kube-dns"),
}
SERVICE_NETWORKS = "/apis/networking.k8s.io/v1/servicecidrs?limit=50"
DNS_SERVICE = f"{KUBE_SYSTEM}/services/kube-dns"
TOKEN_VOLUME = re.compile(r'volume "kube-api-access-\w+" ?: ')
"""Every pod has that one; all other volumes are its owner's."""
OF_THIS_SANDBOX = re.compile(
    r' for sandbox "[0-9a-f]+"|^Failed to create pod sandbox: |rpc error: code = \w+ desc = '
)
IDLE_SECONDS = 60.0
"""So long a scheduler or a controller may take."""
STUCK_SECONDS = 180.0
"""So long a namespace may take to go."""
OF_DELETION = (
    *("NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure"),
    *("NamespaceDeletionContentFailure", "NamespaceFinalizersRemaining", "NamespaceContentRemaining"),
)
"""The conditions that say why a namespace is still there, the most telling first (pkg/controller/namespace)."""

Listed = dict[str, Any]


def findings(port: int, dns: str) -> dict[str, Any] | None:
    """Each question's answer; those that were not understood are in ``unread``. None while nobody answers.

    ``dns`` is the address that pods ask.
    """
    config = read(ADMIN_CONF)
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
        SERVICE_NETWORKS,
        DNS_SERVICE,
        services_at(dns),
    ]
    try:
        listed = ask(port, config, paths)
        listed |= ask(port, config, [SANDBOX_EVENTS, MOUNT_EVENTS]) if without_sandbox(listed) else {}
        return found_in(listed, log_reader(port, config), dns)
    except NO_ANSWER:
        return None


def found_in(listed: Listed, log: Log, dns: str = "") -> dict[str, Any]:
    """The same of what was listed, by path."""
    found: dict[str, Any] = {"unread": {}}
    questions: dict[str, Callable[[Listed], Any]] = {
        **QUESTIONS,
        "corefile": partial(refused_corefile, log=log),
        "displaced_dns": partial(displaced_dns, dns=dns),
    }
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
    """Those whose kubelet cannot give them a sandbox, or the token that every pod has, and why."""
    events = [one for one in items(listed, MOUNT_EVENTS) if TOKEN_VOLUME.search(str(one.get("message")))]
    events += items(listed, SANDBOX_EVENTS)
    whys = {
        one["involvedObject"].get("uid"): in_general(str(one.get("message")))[:MOST_TEXT]
        for one in sorted(events, key=lambda one: one.get("lastTimestamp") or "")
    }
    return [
        {"name": full_name(item), "node": item["spec"]["nodeName"], "why": whys[item["metadata"]["uid"]]}
        for item in without_sandbox(listed)
        if item["metadata"]["uid"] in whys
    ][:MOST_FOUND]


def in_general(message: str) -> str:
    """An event's message without what is of one pod alone."""
    return TOKEN_VOLUME.sub("its token's volume: ", OF_THIS_SANDBOX.sub("", message))


def service_networks(listed: Listed) -> list[dict[str, Any]]:
    """Networks of which Services get no address, where there is no other: being deleted, or not ready."""
    found = []
    for item in items(listed, SERVICE_NETWORKS):
        ready = [one for one in item.get("status", {}).get("conditions", []) if one["type"] == "Ready"]
        deleted = "deletionTimestamp" in item["metadata"]
        if not deleted and all(one["status"] == "True" for one in ready):
            return []
        why = "it is being deleted, and finalizers hold it" if deleted else str(ready[0].get("message"))
        found.append({"name": item["metadata"]["name"], "why": why[:MOST_TEXT]})
    return found[:MOST_FOUND]


def services_at(address: str) -> str:
    """Where the services with that address are listed."""
    return f"/api/v1/services?fieldSelector=spec.clusterIP%3D{address}&limit=10"


def displaced_dns(listed: Listed, dns: str) -> dict[str, str]:
    """The address of the service kube-dns where pods ask another, and whose that one is; else nothing."""
    address = listed.get(DNS_SERVICE, {}).get("spec", {}).get("clusterIP", "")
    holders = [full_name(item) for item in items(listed, services_at(dns))]
    holder = next((one for one in holders if one != "kube-system/kube-dns"), "")
    return {"address": str(address)[:64], "holder": holder} if holder or (address and address != dns) else {}


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


def own_pods(listed: Listed) -> list[dict[str, Any]]:
    """Of kube-system and kube-flannel."""
    return [one for path in SYSTEM_PODS for one in items(listed, path)]


def crashing(listed: Listed) -> list[dict[str, Any]]:
    """Containers of haplane's own pods that are ready now, and ended soon after their last starts."""
    return crashing_pods(own_pods(listed))[:MOST_FOUND]


def not_going(listed: Listed) -> list[dict[str, Any]]:
    """Pods that should have ended long ago."""
    return lingering_pods(own_pods(listed))[:MOST_FOUND]


def paused(listed: Listed) -> bool:
    """Whether changes of CoreDNS' Deployment are held back."""
    return any(
        full_name(item) == "kube-system/coredns" and bool(item["spec"].get("paused"))
        for item in items(listed, DEPLOYMENTS)
    )


def refused_corefile(listed: Listed, log: Log) -> str:
    """Why CoreDNS does not take the Corefile that there is."""
    pods = [
        one for one in items(listed, SYSTEM_PODS[0]) if one["metadata"].get("labels", {}).get("k8s-app") == "kube-dns"
    ]
    return corefile_error(pods, last_change(listed[COREFILE]["metadata"]), log) if COREFILE in listed else ""


def unforwarded(listed: Listed) -> list[str]:
    """Name servers in the Corefile that do not answer."""
    return silent_forwards(str((listed.get(COREFILE, {}).get("data") or {}).get("Corefile", "")))


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
    "not_going": not_going,
    "paused": paused,
    "unforwarded": unforwarded,
    "endpoints": endpoints,
    "service_networks": service_networks,
}
