"""Whether controllers may do what they are for: theirs is the only log that tells where a right of theirs is gone.

And which of Kubernetes' own roles and bindings somebody deleted: an API server makes them when it starts, and not
again. Which they are differs between versions. So each half of a pair shows what has become of the other one: a
binding names its role, and the binding of a controller's role has the role's name.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haplane.facts.on_host.kubernetes import METADATA_LISTS, METADATA_ONLY, NO_ANSWER, Ask, seen_by_admin
from haplane.facts.on_host.probe import TlsConnection

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
REVIEWS_SECONDS = 3.0
"""For all of them."""
RIGHTS = {
    "attachdetach-controller": ("create", "storage.k8s.io", "volumeattachments"),
    "cronjob-controller": ("create", "batch", "jobs"),
    "deployment-controller": ("create", "apps", "replicasets"),
    "generic-garbage-collector": ("delete", "", "pods"),
    "job-controller": ("create", "", "pods"),
    "namespace-controller": ("delete", "", "namespaces"),
    "node-controller": ("delete", "", "pods"),
    "persistent-volume-binder": ("update", "", "persistentvolumes"),
    "pod-garbage-collector": ("delete", "", "pods"),
    "root-ca-cert-publisher": ("create", "", "configmaps"),
    "service-account-controller": ("create", "", "serviceaccounts"),
    "statefulset-controller": ("create", "", "pods"),
}
"""Of each service account of kube-system one right that its ClusterRole gives: verb, group and resource.

k8s.io/kubernetes 1.36, plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go
"""


def lost_rights(port: int, context: ssl.SSLContext) -> dict[str, str]:
    """Account -> what it may not do, in the API server's words; empty where the API server on this host is late."""
    with contextlib.suppress(*NO_ANSWER):
        return refusals(port, context, {})
    return {}


def refusals(port: int, context: ssl.SSLContext, headers: Mapping[str, str]) -> dict[str, str]:
    """The same, over one connection. Raises one of NO_ANSWER."""
    deadline = time.monotonic() + REVIEWS_SECONDS
    connection = TlsConnection("127.0.0.1", port, context=context, timeout=REVIEWS_SECONDS)
    found = {}
    with contextlib.closing(connection):
        for account in RIGHTS:
            body = json.dumps(review(account))
            connection.request("POST", REVIEWS, body, {"Content-Type": "application/json", **headers})
            connection.sock.settimeout(max(deadline - time.monotonic(), 0.01))
            with connection.getresponse() as answer:
                if not json.loads(answer.read())["status"]["allowed"]:
                    found[account] = refused(account)
    return found


def review(account: str) -> dict[str, Any]:
    """Whether that account has its right; nothing of it is stored."""
    verb, group, resource = RIGHTS[account]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:kube-system:{account}",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
            "resourceAttributes": {"verb": verb, "group": group, "resource": resource},
        },
    }


def refused(account: str) -> str:
    """As an API server refuses it."""
    verb, group, resource = RIGHTS[account]
    where = f'cannot {verb} resource "{resource}" in API group "{group}"'
    return f'User "system:serviceaccount:kube-system:{account}" {where}'


RBAC_API = "/apis/rbac.authorization.k8s.io/v1"
OWN_ONLY = "?labelSelector=kubernetes.io%2Fbootstrapping%3Drbac-defaults&limit=500"
OWN_NAMESPACES_OF_ROLES = ("kube-public", "kube-system")
"""In their own namespaces others may label as they like (bootstrappolicy/namespace_policy.go)."""
OWN_PATH = re.compile(r"[a-z0-9./:-]{1,400}")
"""A role's name may be any text; Kubernetes' own are of these letters."""
OF_CONTROLLERS = ("system:controller:", "system::leader-locking-")
BOUND = (
    *("cluster-admin", "system:basic-user", "system:discovery", "system:kube-controller-manager"),
    *("system:kube-scheduler", "system:monitoring", "system:public-info-viewer"),
    *("system:service-account-issuer-discovery", "system:volume-scheduler"),
)
"""Other roles that have a binding of their name (bootstrappolicy/policy.go, ClusterRoleBindings)."""
BOUND_BY_KUBEADM = (
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    *("system:kubelet-api-admin", "system:node-bootstrapper", "system:node-proxier"),
)
"""Roles that its bindings give to kubelets, API servers and kube-proxy (cmd/kubeadm/app/phases)."""
FOR_USERS = ("admin", "edit", "view", *(f"system:aggregate-to-{name}" for name in ("admin", "edit", "view")))
"""What users bind themselves, and what it is put together from."""
MOST_LOST = 50

RolePlace = tuple[str, str]
"""Namespace, "" for none, and name."""


def lost_roles(port: int) -> list[str]:
    """The paths of those that are gone, and of bindings that bind nobody any more; none while nobody answers."""
    return seen_by_admin(port, lost_of)


def lost_of(api: Ask) -> list[str]:
    """The same by what ``api`` returns. A role that lost nothing but its label is there."""
    roles = by_place(api(lists_of("role"), accept=METADATA_LISTS))
    bindings = by_place(api(lists_of("rolebinding")))
    if not roles:
        return []
    suspected = [path_of_role("role", place) for place in roles_of(bindings) if place not in roles]
    suspected += [path_of_role("rolebinding", place) for place in roles if is_bound(place) and place not in bindings]
    suspected = sorted(set(filter(OWN_PATH.fullmatch, suspected)))[:MOST_LOST]
    there = api(suspected, accept=METADATA_ONLY) if suspected else {}
    empty = [
        path_of_role("rolebinding", place)
        for place, one in bindings.items()
        if is_bound(place) and not one.get("subjects")
    ]
    gone = [path for path in suspected if path not in there]
    return [*gone, *filter(OWN_PATH.fullmatch, empty)][:MOST_LOST]


def lists_of(kind: str) -> list[str]:
    """Where Kubernetes' own ones of a kind are listed."""
    return [f"{RBAC_API}/cluster{kind}s{OWN_ONLY}"] + [
        f"{RBAC_API}/namespaces/{namespace}/{kind}s{OWN_ONLY}" for namespace in OWN_NAMESPACES_OF_ROLES
    ]


def path_of_role(kind: str, place: RolePlace) -> str:
    """Where one is."""
    namespace, name = place
    return f"{RBAC_API}/namespaces/{namespace}/{kind}s/{name}" if namespace else f"{RBAC_API}/cluster{kind}s/{name}"


def by_place(listed: dict[str, Any]) -> dict[RolePlace, dict[str, Any]]:
    """Every item of some lists."""
    items: Iterable[dict[str, Any]] = (item for one in listed.values() for item in one["items"])
    return {(item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in items}


def roles_of(bindings: dict[RolePlace, dict[str, Any]]) -> Iterator[RolePlace]:
    """The roles that have to be there."""
    for (namespace, _), one in bindings.items():
        yield ("" if one["roleRef"]["kind"] == "ClusterRole" else namespace), one["roleRef"]["name"]
    for name in (*BOUND_BY_KUBEADM, *FOR_USERS):
        yield "", name


def is_bound(place: RolePlace) -> bool:
    """Whether a role has a binding of its name."""
    return place[1].startswith(OF_CONTROLLERS) or (not place[0] and place[1] in BOUND)
