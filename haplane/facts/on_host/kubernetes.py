"""The API server on this host, and the cluster as it reports it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from haplane.facts.on_host.pods import why_dns_lacks
from haplane.facts.on_host.probe import TlsConnection, read
from haplane.facts.on_host.serving import with_serving

API_SECONDS = 8.0
"""For a round of requests: on a busy host the objects that were applied take more than a moment."""
NODES = "/api/v1/nodes"
SIGNER = "kubernetes.io/kubelet-serving"
SERVING_REQUESTS = (
    f"/apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=spec.signerName%3D{SIGNER}&limit=100"
)
MOST_PAGES, MOST_OF_A_KUBELET = 20, 3
MOST_ANSWER_BYTES = 64 << 20
"""Users may write objects of 1.5 MiB."""
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
DNS_PODS = f"{KUBE_SYSTEM}/pods?labelSelector=k8s-app%3Dkube-dns&limit=20"
PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable")
CORDONED = "haplane/cordoned"
"""The annotation of a Node that haplane cordoned: the verb that did."""
BY_FLANNEL = "flannel.alpha.coreos.com/public-ip"
LABEL_WORDS = ("node-role", "exclude-from", "haplane")
FAILING_CHECK = re.compile(r"^\[-\]([\w./-]+) ", re.M)
MOST_READINESS = 1 << 16
MOST_TEXT = 300
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"
KUBE_SYSTEM_OBJECTS = {
    "haplane": f"{KUBE_SYSTEM}/configmaps/haplane",
    "kubeadm-config": f"{KUBE_SYSTEM}/configmaps/kubeadm-config",
    "coredns": "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
    "kube-proxy": "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
}


def is_ready(address: str, port: int, seconds: float) -> bool:
    """Whether /readyz there answers 200."""
    return why_not_ready(address, port, seconds) is None


def why_not_ready(address: str, port: int, seconds: float) -> str | None:
    """What /readyz there answers instead of 200, the checks that fail by name; None when it answers that."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only its status counts; nothing that is answered is trusted
    connection = TlsConnection(address, port, context=context, timeout=seconds)
    try:
        with contextlib.closing(connection):
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            text = answer.read(MOST_READINESS).decode(errors="replace") if answer.status != 200 else ""
    except (OSError, http.client.HTTPException) as error:
        return f"/readyz: {error}"[:MOST_TEXT]
    if answer.status == 200:
        return None
    failing = ", ".join(FAILING_CHECK.findall(text))
    return f"/readyz: {f'{failing} fail' if failing else f'HTTP {answer.status}'}"[:MOST_TEXT]


def kubernetes(port: int, chosen: list[str]) -> dict[str, Any] | None:
    """Nodes and the cluster's identity from the API server on this host; None when it does not answer."""
    config = read(ADMIN_CONF)
    if config is None:
        return None
    try:
        read_back = ask(port, config, [NODES, KUBE_SYSTEM, *KUBE_SYSTEM_OBJECTS.values()])
        found = {name: read_back[path] for name, path in KUBE_SYSTEM_OBJECTS.items() if path in read_back}
        dns_ready = found.get("coredns", {}).get("status", {}).get("readyReplicas", 0)
        dns_pods = ask(port, config, [DNS_PODS]).get(DNS_PODS, {}).get("items", []) if dns_ready < 2 else []
        return {
            "uid": read_back[KUBE_SYSTEM]["metadata"]["uid"] if KUBE_SYSTEM in read_back else None,
            "nodes": with_serving([node(item, chosen) for item in read_back[NODES]["items"]]),
            "serving_requests": serving_requests(port, config),
            "objects": sorted(found),
            "applied": found.get("haplane", {}).get("data", {}).get("applied"),
            "coredns_ready": dns_ready,
            "coredns_why": why_dns_lacks(found.get("coredns", {}), dns_pods) if dns_ready < 2 else "",
        }
    except NO_ANSWER:
        return None


ADMIN_CONF = "/etc/kubernetes/admin.conf"
NO_ANSWER = (OSError, http.client.HTTPException, ValueError, LookupError)
"""What :func:`ask`, and looking for a field in its answer, raises while the API server does not answer properly."""
ODD_ANSWER = (*NO_ANSWER, TypeError, AttributeError)
"""The same of objects which anybody may have written: a field is there, and of another type."""

Ask = Callable[..., dict[str, Any]]
"""Takes paths, and ``accept``: path -> what is there."""


class Forbidden(OSError):
    """The API server knows who asks, who must not."""


def seen_by_admin(port: int, found: Callable[[Ask], list[Any]]) -> list[Any]:
    """What ``found`` makes of the API on this host, asked as an administrator; nothing while it does not answer."""
    config = read(ADMIN_CONF) or ""
    try:
        return found(lambda paths, **how: ask(port, config, paths, **how))
    except ODD_ANSWER:
        return []


METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LISTS = METADATA_ONLY.replace("PartialObjectMetadata", "PartialObjectMetadataList")


def ask(
    port: int,
    config: str,
    paths: list[str],
    *,
    address: str = "127.0.0.1",
    seconds: float = API_SECONDS,
    accept: str = "application/json",
) -> dict[str, Any]:
    """Path -> what the API server has there; what does not exist is left out. One connection, one deadline.

    Not by kubectl, which took more CPU for this than all other probes. Raises one of
    NO_ANSWER when it does not answer.
    """
    deadline = time.monotonic() + seconds
    connection = TlsConnection(address, port, context=credentials(config), timeout=seconds)
    found = {}
    with contextlib.closing(connection):
        for path in paths:
            connection.request("GET", path, headers={"Accept": accept})
            connection.sock.settimeout(max(deadline - time.monotonic(), 0.01))
            with connection.getresponse() as answer:
                text = answer.read(MOST_ANSWER_BYTES + 1)
            if len(text) > MOST_ANSWER_BYTES:
                raise OSError(f"{path}: more than {MOST_ANSWER_BYTES >> 20} MiB")
            if answer.status == 403:
                raise Forbidden(f"{path}: HTTP 403: {json.loads(text).get('message')}"[:MOST_TEXT])
            if answer.status not in (200, 404):
                raise OSError(f"{path}: HTTP {answer.status}")
            if answer.status == 200:
                found[path] = json.loads(text)
    return found


def credentials(config: str) -> ssl.SSLContext:
    """A kubeconfig's CA and client certificate. The key is in a file without a name, in memory alone."""
    fields = dict(re.findall(r"^\s*([a-z-]+)-data: (\S+)$", config, re.M))
    pem = {name: base64.b64decode(value) for name, value in fields.items()}
    context = ssl.create_default_context(cadata=pem["certificate-authority"].decode("ascii"))
    held = os.memfd_create("credentials")
    try:
        os.write(held, pem["client-certificate"] + b"\n" + pem["client-key"])
        context.load_cert_chain(f"/proc/self/fd/{held}")
    finally:
        os.close(held)
    return context


def node(item: dict[str, Any], chosen: Iterable[str] = ()) -> dict[str, Any]:
    """What is reported of one Node object; of the ``chosen`` labels the values as well."""
    labels = item["metadata"].get("labels", {})
    conditions = item["status"].get("conditions", [])
    ready: dict[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    return {
        "name": item["metadata"]["name"],
        "uid": item["metadata"]["uid"],
        "ready": ready.get("status") == "True",
        "why": "" if ready.get("status") == "True" else str(ready.get("message", ""))[:300],
        "pressures": [c["type"] for c in conditions if c["type"] in PRESSURES and c["status"] == "True"],
        "labels": sorted(k for k in labels if any(word in k for word in LABEL_WORDS)),
        "chosen": [f"{name}={labels[name]}" for name in chosen if name in labels],
        "taints": sorted(f"{t['key']}:{t['effect']}" for t in item["spec"].get("taints", [])),
        "unschedulable": bool(item["spec"].get("unschedulable")),
        "deleted": "deletionTimestamp" in item["metadata"],
        "cordoned_by": str((item["metadata"].get("annotations") or {}).get(CORDONED, ""))[:40],
        "kubelet_version": item["status"].get("nodeInfo", {}).get("kubeletVersion", ""),
        "runtime_version": item["status"].get("nodeInfo", {}).get("containerRuntimeVersion", "")[:MOST_TEXT],
        "address": next((a["address"] for a in item["status"].get("addresses", []) if a["type"] == "InternalIP"), ""),
        "addresses": [a["address"] for a in item["status"].get("addresses", [])][:20],
        "pod_network": str(item["spec"].get("podCIDR") or ""),
        "unannounced": BY_FLANNEL not in (item["metadata"].get("annotations") or {}),
        "port": item["status"].get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port", 10250),
    }


def serving_requests(port: int, config: str) -> list[dict[str, Any]]:
    """Those that nobody has decided on, of each kubelet its newest; not all where they cannot all be listed.

    A kubelet makes as many as it likes, and as large ones.
    """
    items: list[dict[str, Any]] = []
    path, deadline = SERVING_REQUESTS, time.monotonic() + API_SECONDS
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        for _ in range(MOST_PAGES):
            listed = ask(port, config, [path], seconds=max(deadline - time.monotonic(), 0.01)).get(path, {})
            items += listed.get("items", [])
            if not (more := listed.get("metadata", {}).get("continue")):
                break
            path = f"{SERVING_REQUESTS}&continue={quote(more)}"
    newest = pending(sorted(items, key=lambda one: str(one["metadata"].get("creationTimestamp")), reverse=True))
    of: dict[str, list[dict[str, Any]]] = {}
    for one in newest:
        of.setdefault(one["username"], []).append(one)
    return [one for one in reversed(newest) if one in of[one["username"]][:MOST_OF_A_KUBELET]]


def pending(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Requests of kubelets for serving certificates that nobody has decided on."""
    return [
        {
            "name": item["metadata"]["name"],
            "signer": item["spec"]["signerName"],
            "username": item["spec"].get("username", ""),
            "groups": item["spec"].get("groups", []),
            "usages": item["spec"].get("usages", []),
            "pem": base64.b64decode(item["spec"]["request"]).decode("ascii", "replace")[:20000],
        }
        for item in items
        if not item.get("status", {}).get("conditions")
    ]
