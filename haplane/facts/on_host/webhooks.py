"""Admission webhooks that reject requests and do not answer, and the cluster's own objects that they may be for."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import re
import socket
import ssl
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from haplane.facts.on_host.kubernetes import MOST_TEXT
from haplane.facts.on_host.leftovers import apiserver_manifest

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WEBHOOKS = {
    "validatingwebhookconfiguration": f"{ADMISSION}/validatingwebhookconfigurations?limit=200",
    "mutatingwebhookconfiguration": f"{ADMISSION}/mutatingwebhookconfigurations?limit=200",
}
MOST_SERVICES, MOST_PLACES = 100, 60
MOST_RULES, MOST_SELECTED = 50, 50
MOST_OWN = 300
WEBHOOK_SECONDS = 4.0
API_SERVERS_WAIT = 10
"""Seconds, of a webhook that names no other number (timeoutSeconds)."""
HTTPS = 443
IN_API = re.compile(r"/apis?/(?:([a-z0-9.-]+)/)?v[a-z0-9]+/(?:namespaces/([a-z0-9.-]+)/)?([a-z]+)/[^/]+")
"""The path of an object: its group, namespace and resource. That of a namespace is none of another namespace."""


def webhooks_with(policy: str, listed: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that, while they do not answer, reject requests ("Fail"), or let them pass ("Ignore")."""
    return [
        {
            "kind": kind, "name": item["metadata"]["name"], "webhook": one["name"], "client": one["clientConfig"],
            "rules": [rule_of(rule) for rule in one.get("rules") or []][:MOST_RULES],
            "namespaces": bounded(one.get("namespaceSelector")), "objects": bounded(one.get("objectSelector")),
            "conditional": bool(one.get("matchConditions")),
            "seconds": one.get("timeoutSeconds") or API_SERVERS_WAIT,
        }
        for kind, path in WEBHOOKS.items()
        for item in listed[path]["items"]
        for one in item.get("webhooks") or []
        if one.get("failurePolicy", "Fail") == policy
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


def services_of(hooks: list[dict[str, Any]]) -> list[str]:
    """Where the services that are called are, and their endpoints."""
    called = {(one["namespace"], one["name"]) for hook in hooks if (one := hook["client"].get("service"))}
    return [path(*service) for service in sorted(called)[:MOST_SERVICES] for path in (service_path, slices_path)]


class Place(NamedTuple):
    """Where a webhook answers, by which ``name``, how it is ``shown``, and the CA bundle that it is trusted by."""

    address: str
    port: int
    name: str
    shown: str
    authority: str


def unanswered(hooks: list[dict[str, Any]], more: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that this master's API server would not reach, each with ``target`` and ``why``.

    ``partly``: another of its endpoints answers. ``more``: services and endpoints, by path.
    """
    asked = set(services_of(hooks))
    ways = [places_of(hook["client"], more, asked) for hook in hooks]
    every = list(dict.fromkeys(place for places, _ in ways for place in places))[:MOST_PLACES]
    with concurrent.futures.ThreadPoolExecutor(MOST_PLACES) as pool:
        errors = {place: why for place, why in zip(every, pool.map(why_unanswered, every), strict=True) if why}
    found = []
    for hook, (places, nowhere) in zip(hooks, ways, strict=True):
        lost = [place for place in places if place in errors]
        why = f"{lost[0].shown} does not answer: {errors[lost[0]]}" if lost else nowhere
        if why:
            found.append(reported(hook, why, partly=len(lost) < len(places)))
    return found


def waited_for(silent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that hold requests up before they let them pass: nothing refuses the connection at once."""
    return [one for one in silent if "timed out" in one["why"]]


def failing(
    hooks: list[dict[str, Any]], silent: list[dict[str, Any]], refusals: Iterable[str]
) -> list[dict[str, Any]]:
    """Those besides that an API server got no answer of that it understood."""
    known = {one["webhook"] for one in silent}
    return [
        reported(hook, why)
        for hook in hooks
        for why in [why for why in refusals if f'failed calling webhook "{hook["webhook"]}"' in why][:1]
        if hook["webhook"] not in known
    ]


def reported(hook: dict[str, Any], why: str, *, partly: bool = False) -> dict[str, Any]:
    """What the report has of one."""
    told = {"target": target_of(hook["client"]), "why": why, "partly": partly}
    return {name: hook[name] for name in hook if name != "client"} | told


def target_of(client: dict[str, Any]) -> str:
    """Its service as NAMESPACE/NAME; "" for one at a URL."""
    service = client.get("service")
    return f"{service['namespace']}/{service['name']}" if service else ""


def places_of(client: dict[str, Any], more: dict[str, Any], asked: set[str]) -> tuple[list[Place], str]:
    """Where API servers look for a webhook, or why that is nowhere; neither where it is not known."""
    authority, called = client.get("caBundle") or "", client.get("service")
    if called is None:
        return place_of_url(client["url"], authority), ""
    namespace, name = called["namespace"], called["name"]
    served, shown = f"{name}.{namespace}.svc", f"its service {namespace}/{name}"
    if slices_path(namespace, name) not in asked:
        return [], ""
    spec = more.get(service_path(namespace, name), {}).get("spec", {})
    wanted = called.get("port") or HTTPS
    if outside := spec.get("externalName"):
        return [Place(outside, wanted, served, f"{outside}, {shown},", authority)], ""
    slices = more.get(slices_path(namespace, name), {}).get("items", [])
    if not any(ready_addresses(one) for one in slices):
        return [], f"{shown} has no endpoints"
    ports = {one["port"]: one.get("name") or "" for one in spec.get("ports") or []}
    if ports and wanted not in ports:
        return [], f"{shown} has no port {wanted}"
    return [
        Place(address, port["port"], served, f"{address}:{port['port']} of {shown}", authority)
        for one in slices
        for port in one.get("ports") or []
        if (port.get("name") or "") == ports.get(wanted) and port.get("port")
        for address in ready_addresses(one)
    ], ""


def place_of_url(url: str, authority: str) -> list[Place]:
    """None where API servers call it through a proxy: its way is not this one."""
    place = urlsplit(url)
    if "HTTPS_PROXY" in apiserver_manifest():
        return []
    name = place.hostname or ""
    return [Place(name, place.port or HTTPS, name, url[:MOST_TEXT], authority)]


def why_unanswered(place: Place) -> str:
    """Why an API server would get no TLS connection there; "" where it would."""
    try:
        bundle = base64.b64decode(place.authority).decode() or None
        context = ssl.create_default_context(cadata=bundle)
        # as Go verifies: any certificate of the bundle is trusted, a common name is no name
        context.verify_flags, context.hostname_checks_common_name = ssl.VERIFY_X509_PARTIAL_CHAIN, False
        with (
            socket.create_connection((place.address, place.port), WEBHOOK_SECONDS) as connection,
            contextlib.closing(context.wrap_socket(connection, server_hostname=place.name)),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message[:MOST_TEXT]
    except (OSError, ValueError) as error:
        return str(error)[:MOST_TEXT]


def service_path(namespace: str, service: str) -> str:
    """Where a service is."""
    return f"/api/v1/namespaces/{namespace}/services/{service}"


def slices_path(namespace: str, service: str) -> str:
    """Where a service's endpoints are."""
    selector = quote(f"kubernetes.io/service-name={service}")
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector={selector}&limit=100"


def ready_addresses(slices: dict[str, Any]) -> list[str]:
    """Of the endpoints of one slice; one without the condition ``ready`` counts as ready."""
    return [
        address
        for endpoint in slices.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


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
