"""Runs on a master, with nothing but Python's standard library: a node's pods through the API server beside it.

    node_api.py PORT read NODE...          all that decides what draining these nodes costs
    node_api.py PORT look NODE             the Node and its pods
    node_api.py PORT cordon NODE WHY       nothing new onto it; WHY is noted on the Node if nobody had cordoned it
    node_api.py PORT uncordon NODE
    node_api.py PORT evict PODS            PODS: a JSON list of [NAMESPACE, NAME, UID]

Prints one JSON document. Objects are pruned to the fields of haplane.domain.drain: neither environments nor other
annotations leave this host. With the administrator's credentials of this master.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from haplane.facts.on_host.kubelet_sizes import sizes_of_volumes
from haplane.facts.on_host.kubernetes import ADMIN_CONF, NO_ANSWER, credentials
from haplane.facts.on_host.probe import TlsConnection, read

REQUEST_SECONDS = 20
STATISTICS_SECONDS = 3
MOST_VOLUMES = 10_000
PAGE = 500
MOST_PAGES = 100
MOST_BYTES = 64 << 20
CORDONED = "haplane/cordoned"
JSON_TYPE = "application/json"
MERGE = "application/merge-patch+json"

Keep = dict[str, Any]
SELECTOR: Keep = {"matchLabels": True, "matchExpressions": True}
TERM: Keep = {"labelSelector": SELECTOR, "namespaces": True, "namespaceSelector": SELECTOR, "topologyKey": True}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
METADATA: Keep = {
    **dict.fromkeys(("name", "namespace", "uid", "generation", "labels", "finalizers", "deletionTimestamp"), True),
    "ownerReferences": dict.fromkeys(("apiVersion", "kind", "name", "uid", "controller"), True),
    "annotations": {
        "kubernetes.io/config.mirror": True,
        "batch.kubernetes.io/job-index-failure-count": True,
        "cluster-autoscaler.kubernetes.io/safe-to-evict": True,
        "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": True,
        CORDONED: True,
    },
}
CONTAINER: Keep = {
    "resources": {"requests": True},
    "volumeMounts": {"name": True, "readOnly": True},
    "ports": {"hostPort": True, "hostIP": True, "protocol": True},
    "restartPolicy": True,
}
CONDITIONS: Keep = {"type": True, "status": True, "lastTransitionTime": True}
POD: Keep = {
    "metadata": METADATA,
    "spec": {
        **dict.fromkeys(("nodeName", "nodeSelector", "tolerations", "overhead", "restartPolicy"), True),
        **dict.fromkeys(("terminationGracePeriodSeconds", "priority", "preemptionPolicy"), True),
        "resourceClaims": {"name": True},
        "resources": {"requests": True},
        "topologySpreadConstraints": {
            **dict.fromkeys(("maxSkew", "minDomains", "topologyKey", "whenUnsatisfiable"), True),
            **dict.fromkeys(("nodeAffinityPolicy", "nodeTaintsPolicy"), True),
            "labelSelector": SELECTOR,
        },
        "affinity": {
            "nodeAffinity": {REQUIRED: True},
            "podAffinity": {REQUIRED: TERM},
            "podAntiAffinity": {REQUIRED: TERM},
        },
        "volumes": {
            "name": True,
            "emptyDir": {"medium": True},
            "hostPath": {"path": True, "type": True},
            "persistentVolumeClaim": {"claimName": True},
            **dict.fromkeys(("ephemeral", "gitRepo"), {"": True}),
            **dict.fromkeys(("csi", "flexVolume"), {"driver": True, "readOnly": True}),
        },
        "containers": CONTAINER,
        "initContainers": CONTAINER,
    },
    "status": {
        "phase": True,
        "conditions": CONDITIONS,
        "containerStatuses": {"restartCount": True, "containerID": True},
    },
}
NODE: Keep = {
    "metadata": METADATA,
    "spec": {"unschedulable": True, "taints": True},
    "status": {"allocatable": True, "conditions": CONDITIONS, "nodeInfo": {"bootID": True}},
}
BUDGET: Keep = {
    "metadata": METADATA,
    "spec": {"selector": SELECTOR, "unhealthyPodEvictionPolicy": True},
    "status": {
        **dict.fromkeys(("observedGeneration", "disruptionsAllowed", "currentHealthy", "desiredHealthy"), True),
        "expectedPods": True,
        "conditions": dict.fromkeys(("type", "status", "reason", "message"), True),
    },
}
CLAIM: Keep = {"metadata": METADATA, "spec": {"accessModes": True, "volumeName": True}}
VOLUME: Keep = {
    "metadata": METADATA,
    "spec": {"nodeAffinity": True, "local": {"path": True}, "hostPath": {"path": True}},
}
TEMPLATE: Keep = {"template": {"spec": {"nodeName": True}}}
OWNER: Keep = {"metadata": METADATA, "spec": TEMPLATE}
JOB: Keep = {
    "metadata": METADATA,
    "spec": {
        **TEMPLATE,
        **dict.fromkeys(("backoffLimit", "backoffLimitPerIndex"), True),
        "podFailurePolicy": {"rules": {"action": True, "onPodConditions": CONDITIONS}},
    },
    "status": {"failed": True},
}
LISTS: dict[str, tuple[str, Keep]] = {
    "pods": ("/api/v1/pods", POD),
    "nodes": ("/api/v1/nodes", NODE),
    "namespaces": ("/api/v1/namespaces", {"metadata": METADATA}),
    "budgets": ("/apis/policy/v1/poddisruptionbudgets", BUDGET),
    "claims": ("/api/v1/persistentvolumeclaims", CLAIM),
    "volumes": ("/api/v1/persistentvolumes", VOLUME),
    "jobs": ("/apis/batch/v1/jobs", JOB),
}
OWNERS = (
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/api/v1/replicationcontrollers",
)


class Api:
    """One connection; every answer is read whole, and bounded."""

    def __init__(self, port: int, config: str) -> None:
        self._port, self._context = port, credentials(config)
        self._connection = TlsConnection("127.0.0.1", port, context=self._context, timeout=REQUEST_SECONDS)

    def request(self, method: str, path: str, body: object = None, *, content: str = JSON_TYPE) -> tuple[int, Any]:
        """The status, and the answer: JSON, or a text where it is none. Raises OSError or HTTPException."""
        text = None if body is None else json.dumps(body)
        headers = {"Accept": JSON_TYPE, **({"Content-Type": content} if text else {})}
        try:
            self._connection.request(method, path, text, headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # told to go elsewhere between two requests
            self._connection.close()
            self._connection.request(method, path, text, headers)
            response = self._connection.getresponse()
        with response:
            answer = response.read(MOST_BYTES)
        with contextlib.suppress(ValueError):
            return response.status, json.loads(answer)
        return response.status, answer.decode(errors="replace")

    def sizes(self, node: str, deadline: float, most: int) -> dict[str, int]:
        """:func:`sizes_of_volumes`, over a connection of its own."""
        return sizes_of_volumes(self._port, self._context, node, deadline, most)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What is there. Raises OSError for any status but 200."""
        status, answer = self.request("GET", path)
        if status != 200:
            raise OSError(f"{path.partition('?')[0]}: HTTP {status}: {message_of(answer)}")
        return answer

    def items(self, path: str, keep: Keep, selector: str = "") -> list[Any]:
        """A whole list, page by page, pruned."""
        found: list[Any] = []
        more = ""
        for _ in range(MOST_PAGES):
            query = {"limit": str(PAGE), **({"continue": more} if more else {})}
            query |= {"fieldSelector": selector} if selector else {}
            answer = self.get(f"{path}?{urllib.parse.urlencode(query)}")
            found += [pruned(item, keep) for item in answer["items"] or ()]
            more = answer["metadata"].get("continue", "")
            if not more:
                return found
        raise OSError(f"{path}: more than {PAGE * MOST_PAGES} objects")


def main() -> None:
    """Carry out one of the verbs."""
    port, verb, *words = sys.argv[1:]
    config = read(ADMIN_CONF)
    if config is None:
        sys.exit(f"{ADMIN_CONF} is missing")
    try:
        api = Api(int(port), config)
        found = VERBS[verb](api, *words)
    except NO_ANSWER as error:
        sys.exit(f"the API server on this host: {error or type(error).__name__}")
    sys.stdout.write(json.dumps(found) + "\n")


def everything(api: Api, *nodes: str) -> dict[str, Any]:
    """Every list, and what the kubelets of these nodes count in volumes."""
    found: dict[str, Any] = {name: api.items(path, keep) for name, (path, keep) in LISTS.items()}
    found["owners"] = [item for path in OWNERS for item in api.items(path, OWNER)]
    found["used_bytes"], found["unknown"] = {}, {}
    deadline = time.monotonic() + STATISTICS_SECONDS
    for node in nodes:
        if time.monotonic() > deadline:
            found["unknown"][f"sizes on {node}"] = f"not read: the kubelets before took {STATISTICS_SECONDS} s"
            continue
        try:
            found["used_bytes"].update(api.sizes(node, deadline, MOST_VOLUMES - len(found["used_bytes"])))
        except Exception as error:  # noqa: BLE001 - a kubelet may return anything
            found["unknown"][f"sizes on {node}"] = (str(error) or type(error).__name__)[:200]
    return found


def look(api: Api, node: str) -> dict[str, Any]:
    """One Node, and the pods bound to it."""
    pods = api.items("/api/v1/pods", POD, selector=f"spec.nodeName={node}")
    return {"pods": pods, "nodes": [pruned(api.get(f"/api/v1/nodes/{quoted(node)}"), NODE)]}


def cordon(api: Api, node: str, why: str) -> dict[str, Any]:
    """WHY is noted only on a Node that nobody had cordoned: a run that did so may undo it."""
    path = f"/api/v1/nodes/{quoted(node)}"
    if api.get(path)["spec"].get("unschedulable"):
        return {}
    return patch(api, path, {"metadata": {"annotations": {CORDONED: why}}, "spec": {"unschedulable": True}})


def uncordon(api: Api, node: str) -> dict[str, Any]:
    """With what was noted."""
    path = f"/api/v1/nodes/{quoted(node)}"
    return patch(api, path, {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}})


def patch(api: Api, path: str, change: dict[str, Any]) -> dict[str, Any]:
    """Raises OSError unless it is accepted."""
    status, answer = api.request("PATCH", path, change, content=MERGE)
    if status != 200:
        raise OSError(f"{path}: HTTP {status}: {message_of(answer)}")
    return {}


def evict(api: Api, pods: str) -> dict[str, str]:
    """By uid, why the API server refused; the others end, or are gone."""
    refused = {}
    for namespace, name, uid in json.loads(pods):
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": namespace, "name": name},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        path = f"/api/v1/namespaces/{quoted(namespace)}/pods/{quoted(name)}/eviction"
        status, answer = api.request("POST", path, eviction)
        if status not in (200, 201, 202, 404, 409):  # gone, or another pod of that name
            refused[uid] = f"HTTP {status}: {message_of(answer)}"
    return refused


def message_of(answer: Any) -> str:  # noqa: ANN401 - JSON
    """The API server's words, with what caused them: of a refused eviction that is which budget, and its numbers."""
    status = answer if isinstance(answer, dict) else {"message": answer}
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    each = [status, *(one for one in (causes if isinstance(causes, list) else ()) if isinstance(one, dict))]
    said = " ".join(words for one in each if isinstance(words := one.get("message"), str))
    return said.strip()[:300] or "no words"


def pruned(value: Any, keep: Any) -> Any:  # noqa: ANN401 - JSON
    """Of a JSON value what ``keep`` names; lists element by element."""
    if isinstance(value, list):
        return [pruned(each, keep) for each in value]
    if isinstance(value, dict) and isinstance(keep, dict):
        return {key: pruned(each, keep[key]) for key, each in value.items() if key in keep}
    return value


def quoted(word: str) -> str:
    """A name in a path."""
    return urllib.parse.quote(word, safe="")


VERBS: dict[str, Callable[..., Any]] = {
    "read": everything,
    "look": look,
    "cordon": cordon,
    "uncordon": uncordon,
    "evict": evict,
}

if __name__ == "__main__":
    main()
