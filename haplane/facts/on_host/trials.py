"""What an API server makes now of requests of the cluster's own, by writes of which it stores nothing (dryRun).

Of pods that run it says whether it would take them again: quotas, limits, policies, webhooks, priority classes,
service accounts and the rights of their controllers all have a say in that.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from haplane.facts.on_host.kubernetes import KUBE_SYSTEM, LEASES, NODES
from haplane.facts.on_host.probe import TlsConnection

DRY_RUN = "dryRun=All&timeout=5s"
TRIALS_SECONDS = 6.0
"""For all pods: a webhook that drops packets costs each 5 s."""
MOST_REFUSAL = 900
PASSING = (429, 503, 504)
"""Of an API server that has no time now."""
UNTRIED = re.compile(r"does not support dry run|status unknown for quota")
OF_THIS_POD = re.compile(r'^(?:pods|Pod) "[^"]*" is (?:forbidden|invalid): ')
"""Its name is another one each time."""
MAKERS = {"DaemonSet": "daemon-set-controller", "Deployment": "replicaset-controller"}
"""Who makes the pods."""

Write = tuple[str, str, dict[str, Any], dict[str, str]]
"""Method, path, body and headers."""
Attempt = Callable[[Write], tuple[int, str]]
"""Gives the HTTP status, and the message where that is an error's."""


def trial(port: int, context: ssl.SSLContext, write: Write, seconds: float) -> tuple[int, str]:
    """What the API server on this host answers. Raises OSError, HTTPException or ValueError when it does not."""
    connection = TlsConnection("127.0.0.1", port, context=context, timeout=seconds)
    with contextlib.closing(connection):
        return sent(connection, write)


def sent(connection: http.client.HTTPSConnection, write: Write) -> tuple[int, str]:
    """The same over that connection."""
    method, path, body, headers = write
    connection.request(method, f"{path}{'&' if '?' in path else '?'}{DRY_RUN}", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, str(json.loads(text).get("message")) if answer.status >= 400 else ""


@contextlib.contextmanager
def trials(port: int, context: ssl.SSLContext) -> Iterator[Attempt]:
    """The same within TRIALS_SECONDS from now on, over one connection; status 0 where it does not answer."""
    deadline = time.monotonic() + TRIALS_SECONDS
    kept = TlsConnection("127.0.0.1", port, context=context)

    def attempt(write: Write) -> tuple[int, str]:
        for _ in range(2):  # the server may have closed it since the last answer
            kept.timeout = max(deadline - time.monotonic(), 0.01)
            if kept.sock is not None:
                kept.sock.settimeout(kept.timeout)
            try:
                return sent(kept, write)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                kept.close()
            except (OSError, http.client.HTTPException, ValueError):
                kept.close()
                break
        return 0, ""

    with contextlib.closing(kept):
        yield attempt


def making(kind: str, item: dict[str, Any]) -> Write:
    """A pod of a DaemonSet or Deployment, as its controller would make it."""
    metadata, template = item["metadata"], item["spec"]["template"]
    labels = template.get("metadata", {}).get("labels", {})
    named = {"generateName": f"{metadata['name']}-", "labels": labels}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": template["spec"]}
    return "POST", f"/api/v1/namespaces/{metadata['namespace']}/pods", body, headers_of(MAKERS[kind])


def headers_of(account: str) -> dict[str, str]:
    """Of requests of a service account of kube-system."""
    return {
        "Content-Type": "application/json",
        "Impersonate-User": f"system:serviceaccount:kube-system:{account}",
        "Impersonate-Group": "system:serviceaccounts",
    }


PATCHING = {"Content-Type": "application/merge-patch+json"}
SERVICES_OF_DNS = f"{KUBE_SYSTEM}/services?fieldSelector=metadata.name%3Dkube-dns"
NO_SLICE = {
    "metadata": {"generateName": "kube-dns-", "labels": {"kubernetes.io/service-name": "kube-dns"}},
    "addressType": "IPv4", "endpoints": [],
}  # fmt: skip


NODE_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
INSISTING, INSISTING_SECONDS = 3, 0.2
"""An API server that is busy for a moment answers 429 once; one that rejects whom it is to serve, each time."""
NOT_THERE = (404, 409)
ASKED_BY_KUBELETS = {
    "subjectaccessreviews": (
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": "system:anonymous", "nonResourceAttributes": {"path": "/", "verb": "get"}},
        },
    ),
    "tokenreviews": (
        "/apis/authentication.k8s.io/v1/tokenreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "none"}},
    ),
}  # fmt: skip
"""Of API servers, for each request that a kubelet gets itself; nothing of it is stored."""


def hindered(attempt: Attempt, static_pods: Iterable[dict[str, Any]] = ()) -> dict[str, str]:
    """Who may not do what they are for, and why: their pods run on and look well, and so do kubelets for a while.

    ``static_pods`` are the control plane's; one of them shows which writes a kubelet makes.
    """
    slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
    tries: dict[str, Write] = {
        "kube-proxy": ("GET", SERVICES_OF_DNS, {}, headers_of("kube-proxy")),
        "endpointslice-controller": ("POST", slices, NO_SLICE, headers_of("endpointslice-controller")),
        **{
            f"leader/{name}": ("PATCH", f"{LEASES}{name}", {}, PATCHING)
            for name in ("kube-scheduler", "kube-controller-manager")
        },
        **writes_of_a_kubelet(static_pods),
    }
    found = {who: hindrance(write, attempt) for who, write in tries.items()}
    return {who: why for who, why in found.items() if why}


def writes_of_a_kubelet(static_pods: Iterable[dict[str, Any]]) -> dict[str, Write]:
    """That change nothing, of the kubelet with the first of these pods."""
    for pod in static_pods:
        name, node = pod["metadata"]["name"], pod["spec"].get("nodeName")
        if not node:
            continue
        user = {"Impersonate-User": f"system:node:{node}", "Impersonate-Group": "system:nodes", **PATCHING}
        paths = {
            "kubelet/nodes": f"{NODES}/{node}/status",
            "kubelet/leases": f"{NODE_LEASES}/{node}",
            "kubelet/pods": f"{KUBE_SYSTEM}/pods/{name}/status",
        }
        asking = {**user, "Content-Type": "application/json"}
        reviews = {
            f"kubelet/{kind}": ("POST", path, body, asking) for kind, (path, body) in ASKED_BY_KUBELETS.items()
        }
        return {**{who: ("PATCH", path, {}, user) for who, path in paths.items()}, **reviews}
    return {}


def hindrance(write: Write, attempt: Attempt) -> str:
    """Why a write would be refused; "" where it would not."""
    status, why = attempt(write)
    for _ in range(INSISTING - 1):
        if status == 429:
            time.sleep(INSISTING_SECONDS)
            status, why = attempt(write)
    if status == 429:
        return f"HTTP 429: {why}"[:MOST_REFUSAL]
    return "" if status in NOT_THERE else refusal((status, why))


def refusal(answer: tuple[int, str]) -> str:
    """Why it was refused; "" where it was not, or nothing is known of it."""
    status, why = answer
    return why[:MOST_REFUSAL] if status >= 400 and status not in PASSING and not UNTRIED.search(why) else ""


def full_name(item: dict[str, Any]) -> str:
    """NAMESPACE/NAME."""
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def refused_pods(owners: Iterable[tuple[str, dict[str, Any]]], attempt: Attempt) -> dict[str, str]:
    """NAMESPACE/NAME of those whose pods would be refused -> why. Each owner with its kind."""
    found = {}
    for kind, item in owners:
        if why := refusal(attempt(making(kind, item))):
            found[full_name(item)] = OF_THIS_POD.sub("", why)
    return found
