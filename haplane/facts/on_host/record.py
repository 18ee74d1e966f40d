"""Which objects haplane has applied, for the observer to compare with: their paths in the API, and digests.

    python3 -I -c THIS PORT content|presence < `kubectl get -o json` of the pod network's manifest

prints one JSON object: path -> :func:`haplane.facts.on_host.workloads.fields_digest`, "" where only presence counts:
an operator of a pod network of the user's own may change what its manifest creates.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from haplane.facts.on_host.kubernetes import ADMIN_CONF, KUBE_SYSTEM, METADATA_ONLY, ask
from haplane.facts.on_host.probe import read
from haplane.facts.on_host.workloads import MOST_OBJECTS, fields_digest

KUBE_PUBLIC = "/api/v1/namespaces/kube-public"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
COREFILE = f"{KUBE_SYSTEM}/configmaps/coredns"
"""Operators have reason to edit it, and kubeadm keeps what they wrote."""
OF_KUBEADM = (
    f"{KUBE_PUBLIC}/configmaps/cluster-info",
    *(f"{KUBE_SYSTEM}/configmaps/{name}" for name in ("kubeadm-config", "kubelet-config", "kube-proxy", "coredns")),
    *(f"{KUBE_SYSTEM}/serviceaccounts/{name}" for name in ("coredns", "kube-proxy")),
    f"{KUBE_SYSTEM}/services/kube-dns",
    "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
    "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
    *(
        f"{RBAC}/namespaces/{place}/{kind}/{name}"
        for kind in ("roles", "rolebindings")
        for place, name in (
            ("kube-public", "kubeadm:bootstrap-signer-clusterinfo"), ("kube-system", "kube-proxy"),
            ("kube-system", "kubeadm:kubelet-config"), ("kube-system", "kubeadm:nodes-kubeadm-config"),
        )
    ),
    *(f"{RBAC}/clusterroles/{name}" for name in ("system:coredns", "kubeadm:get-nodes")),
    *(
        f"{RBAC}/clusterrolebindings/{name}"
        for name in (
            "system:coredns", "kubeadm:cluster-admins", "kubeadm:get-nodes", "kubeadm:kubelet-bootstrap",
            "kubeadm:node-autoapprove-bootstrap", "kubeadm:node-autoapprove-certificate-rotation",
            "kubeadm:node-proxier", "kubeadm:apiserver-kubelet-client",
        )
    ),
)  # fmt: skip
"""What its phases upload-config, bootstrap-token and addon make (k8s.io/kubernetes 1.36, cmd/kubeadm/app/phases).

The API servers' right to kubelets (logs, exec) is an object of its own since 1.36.
"""


def record() -> None:
    """Print them. Raises whatever keeps them from being complete: an object that is not recorded is not watched."""
    port, watched, config = int(sys.argv[1]), sys.argv[2], read(ADMIN_CONF) or ""
    manifest = json.load(sys.stdin)
    applied = manifest["items"] if manifest.get("kind") == "List" else [manifest]
    groups = sorted({root_of(one["apiVersion"]) for one in applied})
    kinds = {
        (root, resource["kind"]): resource
        for root, found in ask(port, config, groups).items()
        for resource in found["resources"]
        if "/" not in resource["name"]
    }
    network = [path_of(one, kinds[root_of(one["apiVersion"]), one["kind"]]) for one in applied]
    present = {COREFILE, *(network if watched == "presence" else ())}
    seen = ask(port, config, [*OF_KUBEADM, *network][:MOST_OBJECTS], accept=METADATA_ONLY, seconds=20)
    json.dump({path: "" if path in present else fields_digest(item) for path, item in seen.items()}, sys.stdout)


def root_of(version: str) -> str:
    """Where the API serves a group's version."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def path_of(item: dict[str, Any], resource: dict[str, Any]) -> str:
    """Where the API serves an object."""
    metadata = item["metadata"]
    within = f"/namespaces/{metadata.get('namespace', 'default')}" if resource["namespaced"] else ""
    return f"{root_of(item['apiVersion'])}{within}/{resource['name']}/{metadata['name']}"


if __name__ == "__main__":
    record()
