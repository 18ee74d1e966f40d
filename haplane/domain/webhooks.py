"""Which requests of the cluster's own an admission webhook that does not answer would refuse. Pure.

As API servers decide it (pkg/admission/plugin/webhook): by the webhook's rules, then by the labels of the namespace,
then by those of the object. Its matchConditions are programs, which are not run here: with some, it may be called,
and only the API server can say, by a write of which it stores nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import Annotated

from pydantic import Field

from haplane.domain.cluster_health import FullName, OwnObject, Rule, Webhook, Workloads
from haplane.domain.drain.api import Selector
from haplane.domain.reported import Observed, Text

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
KUBE_SYSTEM = "kube-system"
DNS_LABELS, PROXY_LABELS = {"k8s-app": "kube-dns"}, {"k8s-app": "kube-proxy"}
OF_COMPONENTS = (
    OwnObject(resource="pods", namespace=KUBE_SYSTEM, labels=DNS_LABELS),
    OwnObject(group="apps", resource="replicasets", namespace=KUBE_SYSTEM, labels=DNS_LABELS),
    OwnObject(group="discovery.k8s.io", resource="endpointslices", namespace=KUBE_SYSTEM, labels=DNS_LABELS),
    OwnObject(resource="pods", namespace=KUBE_SYSTEM, labels=PROXY_LABELS),
    OwnObject(group="apps", resource="controllerrevisions", namespace=KUBE_SYSTEM, labels=PROXY_LABELS),
    OwnObject(group="coordination.k8s.io", resource="leases", namespace=KUBE_SYSTEM),
    OwnObject(group="coordination.k8s.io", resource="leases", namespace="kube-node-lease"),
    OwnObject(resource="nodes", labels=None),
    OwnObject(group="storage.k8s.io", resource="csinodes", labels=None),
    OwnObject(group="certificates.k8s.io", resource="certificatesigningrequests", labels=None),
)
"""What Kubernetes' components write beside the objects that are applied."""

SUBRESOURCES = {
    "pods": ("status", "binding"),
    "nodes": ("status",),
    "serviceaccounts": ("token",),
    "certificatesigningrequests": ("status", "approval"),
    "daemonsets": ("status",),
    "deployments": ("status",),
    "replicasets": ("status",),
}
"""Which of them they write."""

WRITES = ("CREATE", "UPDATE", "DELETE")


class DryRuns(Observed):
    """Writes of which nothing is stored: the webhooks that ``refused`` one, and whether all were tried."""

    refused: Annotated[dict[FullName, Text], Field(max_length=1000)] = Field(default_factory=dict)
    complete: bool = False


class Called(Enum):
    """For an object of the cluster's own."""

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


def called(hook: Webhook, view: Workloads) -> Called:
    """Whether a webhook is called for what haplane, kubeadm or the cluster's own components write."""
    own = (*view.own, *OF_COMPONENTS)
    if not any(matches(hook, one, view.namespaces) for one in own):
        return Called.NO
    return Called.PERHAPS if hook.conditional else Called.YES


def matches(
    hook: Webhook,
    one: OwnObject,
    namespaces: Mapping[str, Mapping[str, str]],
    operations: Collection[str] = WRITES,
) -> bool:
    """Whether it is for one of these operations on that object, by its rules and selectors.

    A namespace of unknown labels counts as selected.
    """
    if not any(_covers(rule, one, operations) for rule in hook.rules):
        return False
    labels = namespaces.get(one.namespace) if one.namespace else None
    if one.resource == "namespaces":
        labels = one.labels
    if labels is not None and not selects(hook.namespaces, labels):
        return False
    return one.labels is None or selects(hook.objects, one.labels)


def _covers(rule: Rule, one: OwnObject, operations: Collection[str]) -> bool:
    done = {"*", *operations} & set(rule.operations)
    scoped = rule.scope == "*" or (rule.scope == "Namespaced") == bool(one.namespace)
    grouped = "*" in rule.api_groups or one.group in rule.api_groups
    return bool(done) and scoped and grouped and any(_named(rule.resources, one.resource))


def _named(resources: Iterable[str], own: str) -> Iterator[bool]:
    for named in resources:
        resource, _, subresource = named.partition("/")
        fits = resource in ("*", own)
        yield fits and (not subresource or subresource == "*" or subresource in SUBRESOURCES.get(own, ()))


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector does; an operator that is not known counts as one that does."""
    known = [one for one in selector.match_expressions if one.operator in OPERATORS]
    return selector.match_labels.items() <= labels.items() and all(one.holds(labels) for one in known)


def subject(hook: Webhook) -> str:
    """What it refuses, in words."""
    named = dict.fromkeys(name for rule in hook.rules for name in rule.resources)
    listed = ", ".join(list(named)[:3]) or "its resources"
    chosen = hook.conditional or any(one != Selector() for one in (hook.namespaces, hook.objects))
    if hook.partly:
        return f"part of the requests for {listed}"
    return f"requests for {listed} that it selects" if chosen else f"every request for {listed}"
