"""Whether controllers may do what they are for: theirs is the only log that tells where a right of theirs is gone."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any

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
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError):
        return refusals(port, context, {})
    return {}


def refusals(port: int, context: ssl.SSLContext, headers: Mapping[str, str]) -> dict[str, str]:
    """The same, over one connection. Raises OSError, HTTPException, ValueError or LookupError."""
    deadline = time.monotonic() + REVIEWS_SECONDS
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=REVIEWS_SECONDS)
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
