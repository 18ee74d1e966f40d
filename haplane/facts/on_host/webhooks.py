"""Admission webhooks that reject requests and do not answer, and the cluster's own objects that they may be for."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import re
import socket
import ssl
from typing import Any
from urllib.parse import quote, urlsplit

from haplane.facts.on_host.kubernetes import MOST_TEXT
from haplane.facts.on_host.leftovers import apiserver_manifest

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WEBHOOKS = {
    "validatingwebhookconfiguration": f"{ADMISSION}/validatingwebhookconfigurations?limit=200",
    "mutatingwebhookconfiguration": f"{ADMISSION}/mutatingwebhookconfigurations?limit=200",
}
MOST_WEBHOOKS, MOST_SERVICES = 20, 100
MOST_RULES, MOST_SELECTED = 50, 50
MOST_OWN = 300
WEBHOOK_SECONDS = 2.0
IN_API = re.compile(r"/apis?/(?:([a-z0-9.-]+)/)?v[a-z0-9]+/(?:namespaces/([a-z0-9.-]+)/)?([a-z]+)/[^/]+")
"""The path of an object: its group, namespace and resource. That of a namespace is none of another namespace."""


def strict_webhooks(listed: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that reject requests while they do not answer."""
    return [
        {
            "kind": kind, "name": item["metadata"]["name"], "webhook": one["name"], "client": one["clientConfig"],
            "rules": [rule_of(rule) for rule in one.get("rules") or []][:MOST_RULES],
            "namespaces": bounded(one.get("namespaceSelector")), "objects": bounded(one.get("objectSelector")),
            "conditional": bool(one.get("matchConditions")),
        }
        for kind, path in WEBHOOKS.items()
        for item in listed[path]["items"]
        for one in item.get("webhooks") or []
        if one.get("failurePolicy", "Fail") == "Fail"
    ]  # fmt: skip


def rule_of(rule: dict[str, Any]) -> dict[str, Any]:
    """Of a rule, what decides which objects it is about; matchPolicy Equivalent lets no version count."""
    lists = {name: (rule.get(name) or [])[:MOST_SELECTED] for name in ("apiGroups", "resources", "operations")}
    return {**lists, "scope": rule.get("scope") or "*"}


def bounded(selector: dict[str, Any] | None) -> dict[str, Any]:
    """A label selector; one that is too large to be sent selects everything."""
    found = selector or {}
    terms = found.get("matchExpressions") or []
    values = [value for one in terms for value in one.get("values") or []]
    return {} if max(len(terms), len(values), len(found.get("matchLabels") or {})) > MOST_SELECTED else found


def services_of(hooks: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Namespace and name of the services that are called, and where their endpoints are."""
    called = {(one["namespace"], one["name"]) for hook in hooks if (one := hook["client"].get("service"))}
    return {service: slices_path(*service) for service in sorted(called)[:MOST_SERVICES]}


def unanswered(hooks: list[dict[str, Any]], more: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of nobody who would answer, each with ``target`` and ``why``. ``more``: endpoints, by path."""
    paths, found = services_of(hooks), []
    for hook in hooks:
        service = hook["client"].get("service")
        if service is None:
            continue
        path = paths.get((service["namespace"], service["name"]))
        if path is not None and not has_endpoints(more.get(path)):
            target = f"{service['namespace']}/{service['name']}"
            found.append({**hook, "target": target, "why": f"its service {target} has no endpoints"})
    return [{name: one[name] for name in one if name != "client"} for one in (*found, *unanswered_urls(hooks))]


def unanswered_urls(hooks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of those at a URL, looked for from here.

    None where API servers call them through a proxy: its way is not this one.
    """
    at_urls = [hook for hook in hooks if hook["client"].get("url")][:MOST_WEBHOOKS]
    if not at_urls or "HTTPS_PROXY" in apiserver_manifest():
        return []
    with concurrent.futures.ThreadPoolExecutor(MOST_WEBHOOKS) as pool:
        clients = [hook["client"] for hook in at_urls]
        whys = list(pool.map(lambda one: why_unanswered(one["url"], one.get("caBundle") or ""), clients))
    return [
        {**hook, "target": "", "why": f"{str(hook['client']['url'])[:MOST_TEXT]} does not answer: {why}"}
        for hook, why in zip(at_urls, whys, strict=True)
        if why
    ]


def why_unanswered(url: str, authority: str) -> str:
    """Why an API server would get no TLS connection to that URL; "" where it would."""
    try:
        place = urlsplit(url)
        bundle = base64.b64decode(authority).decode() or None
        context = ssl.create_default_context(cadata=bundle)
        with (
            socket.create_connection((place.hostname or "", place.port or 443), WEBHOOK_SECONDS) as connection,
            contextlib.closing(context.wrap_socket(connection, server_hostname=place.hostname)),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message[:MOST_TEXT]
    except (OSError, ValueError) as error:
        return str(error)[:MOST_TEXT]


def slices_path(namespace: str, service: str) -> str:
    """Where a service's endpoints are."""
    selector = quote(f"kubernetes.io/service-name={service}")
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector={selector}&limit=100"


def has_endpoints(slices: dict[str, Any] | None) -> bool:
    """Whether any endpoint is ready; one without that condition counts as ready."""
    return any(
        endpoint.get("conditions", {}).get("ready") is not False
        for one in (slices or {}).get("items", [])
        for endpoint in one.get("endpoints") or []
    )


def own_objects(kept: dict[str, Any], sets: list[dict[str, Any]], pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whatever haplane has applied (``kept``, by path), its pods and the control plane's, each kind once."""
    found = [about(path, item["metadata"]) for path, item in kept.items()]
    for item in sets:
        labels = item["spec"].get("template", {}).get("metadata", {}).get("labels")
        found.append(own("", "pods", item["metadata"]["namespace"], labels))
    found += [own("", "pods", item["metadata"]["namespace"], item["metadata"].get("labels")) for item in pods]
    return [one for at, one in enumerate(found) if one and one not in found[:at]][:MOST_OWN]


def about(path: str, metadata: dict[str, Any]) -> dict[str, Any] | None:
    """What is at a path; None where that is not the path of an object."""
    place = IN_API.fullmatch(path)
    if place is None:
        return None
    group, namespace, resource = place.groups("")
    return own(group, resource, namespace, metadata.get("labels"))


def own(group: str, resource: str, namespace: str, labels: dict[str, str] | None) -> dict[str, Any]:
    """One kind of object; ``namespace`` is empty for one of none."""
    return {"group": group, "resource": resource, "namespace": namespace, "labels": labels or {}}


def namespace_paths(objects: list[dict[str, Any]]) -> list[str]:
    """Of these objects' namespaces, and of those that the components write to."""
    names = {"kube-system", "kube-node-lease", *(one["namespace"] for one in objects if one["namespace"])}
    return [f"/api/v1/namespaces/{name}" for name in sorted(names)]
