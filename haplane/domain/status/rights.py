"""Components of Kubernetes that may not do what they are for, by a role, a policy, a webhook or a priority level."""

from __future__ import annotations

import re

from haplane.domain.applied import short
from haplane.domain.cluster_health import Workloads
from haplane.domain.plan import few
from haplane.domain.problem import UP, Problem, problem
from haplane.domain.refusals import fix_of_refusal, without_silent_webhooks

LOST_RIGHT = re.compile(r'User "system:serviceaccount:kube-system:[a-z-]+" cannot')

HINDERED = {
    "kube-proxy": "kube-proxy does not see Services and endpoints that change: nodes send to old ones",
    "endpointslice-controller": "endpoints are not written any more: Services keep those that they have",
    "attachdetach-controller": "volumes are neither attached nor detached",
    "cronjob-controller": "CronJobs create no Jobs",
    "deployment-controller": "Deployments are not rolled out",
    "generic-garbage-collector": "what belonged to deleted objects stays",
    "job-controller": "Jobs get no pods",
    "namespace-controller": "namespaces are not deleted",
    "node-controller": "pods stay on nodes that are gone",
    "persistent-volume-binder": "volumes are not bound to claims",
    "pod-garbage-collector": "pods of deleted nodes stay",
    "root-ca-cert-publisher": "new namespaces get no CA certificate, so their pods do not start",
    "service-account-controller": "new namespaces get no service account, so they get no pods",
    "statefulset-controller": "StatefulSets get no pods",
    "kubelet/nodes": "kubelets may not write the status of their nodes: those become NotReady",
    "kubelet/leases": "kubelets may not renew their leases: nodes become NotReady",
    "kubelet/pods": "kubelets may not write the status of pods: those that start do not become Ready",
    "kubelet/subjectaccessreviews": "kubelets cannot ask who is allowed what: logs and exec fail",
    "kubelet/tokenreviews": "kubelets cannot ask whose a token is: what logs in to them by one is refused",
    "leader/kube-scheduler": "no kube-scheduler may renew its lease: new pods are not scheduled",
    "leader/kube-controller-manager": "no kube-controller-manager may renew its lease: no controller acts",
}
"""By the service account, or other component, that may not do its work."""
SCOPES = {
    "kubelet/nodes": "nodes/",
    "kubelet/leases": "kube-node-lease/",
    "kubelet/subjectaccessreviews": "subjectaccessreviews/",
    "kubelet/tokenreviews": "tokenreviews/",
}
"""Where that is, if not in kube-system."""


def lost_roles(view: Workloads) -> list[Problem]:
    """What somebody deleted of what gives Kubernetes' own components their rights."""
    if not view.lost_roles:
        return []
    effects = [effect for account, effect in HINDERED.items() if _has_lost_its_role(account, view)]
    what = f"deleted from the cluster: {few([short(path) for path in view.lost_roles])}"
    why = "; ".join(effects[:3]) or "Kubernetes' own components have their rights by it"
    return [problem(what, why=f"{why}; an API server makes it anew when it starts", fix=UP)]


def _has_lost_its_role(account: str, view: Workloads) -> bool:
    """Whether a role of that service account, or what binds it, is gone, and has a line of its own."""
    names = {"kube-proxy": ("system:node-proxier", "kubeadm:node-proxier")}
    wanted = names.get(account, (f"system:controller:{account}",))
    return any(path.endswith(wanted) for path in (*view.lost_roles, *view.missing, *view.edited))


def hindered_components(view: Workloads) -> list[Problem]:
    """Those whose writes an API server refuses, each with what comes of it."""
    return [
        problem(HINDERED[account], why=why, fix=fix_of_refusal(SCOPES.get(account, "kube-system/"), why))
        for account, why in without_silent_webhooks(view, view.hindered).items()
        if account in HINDERED and not _has_lost_its_role(account, view)
    ]
