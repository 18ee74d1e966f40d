"""What an audit policy is sure to log, by kube-apiserver's own rules: the first rule that matches decides.

Of a rule for certain users, namespaces or names the worse is taken: one that drops is taken to match, one that logs
not to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

READS = ("get", "list", "watch")
WRITES = ("create", "update", "patch", "delete", "deletecollection")
LEVELS = ("Metadata", "Request", "RequestResponse")
NARROWING = ("users", "userGroups", "namespaces")


@dataclass(frozen=True)
class Access:
    """A verb on a resource; of a subresource ``resource`` is RESOURCE/SUBRESOURCE."""

    verb: str
    resource: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


SENSITIVE = (
    *(
        Access(verb, resource)
        for resource in (
            "secrets", "configmaps", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy",
        )
        for verb in (*READS, *WRITES)
    ),
    Access("create", "tokenreviews", "authentication.k8s.io"),
    *(Access(verb, "pods") for verb in WRITES),
    *(Access(verb, "deployments", "apps") for verb in WRITES),
)  # fmt: skip
"""What CIS 3.2.2 names, and nodes/proxy, through which a kubelet runs commands."""


def parse_policy(text: str) -> Mapping[str, object] | None:
    """An audit policy in JSON, as haplane writes it; None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = (found.get("apiVersion"), found.get("kind")) if isinstance(found, dict) else None
    return found if kind == ("audit.k8s.io/v1", "Policy") and isinstance(found.get("rules"), list) else None


def logs_anything(policy: Mapping[str, object]) -> bool:
    """Whether any rule logs."""
    return any(_logs(rule, policy) for rule in _rules(policy))


def unlogged(policy: Mapping[str, object], wanted: Sequence[Access] = SENSITIVE) -> list[Access]:
    """Those of ``wanted`` that are not sure to be logged."""
    return [access for access in wanted if not _is_logged(policy, access)]


def _is_logged(policy: Mapping[str, object], access: Access) -> bool:
    for rule in _rules(policy):
        logs = _logs(rule, policy)
        if _matches(rule, access, narrow=not logs):
            return logs
    return False


def _logs(rule: Mapping[str, object], policy: Mapping[str, object]) -> bool:
    omitted = {*_words(policy.get("omitStages")), *_words(rule.get("omitStages"))}
    return rule.get("level") in LEVELS and not omitted >= {"RequestReceived", "ResponseComplete"}


def _matches(rule: Mapping[str, object], access: Access, *, narrow: bool) -> bool:
    """``narrow``: whether a rule for some users, namespaces or names counts as one for this access."""
    if not narrow and any(rule.get(key) for key in NARROWING):
        return False
    if (verbs := _words(rule.get("verbs"))) and access.verb not in verbs:
        return False
    if listed := rule.get("resources"):
        return any(_covers(kind, access, narrow=narrow) for kind in _maps(listed))
    return not rule.get("nonResourceURLs")


def _covers(kind: Mapping[str, object], access: Access, *, narrow: bool) -> bool:
    if kind.get("group", "") != access.group or (kind.get("resourceNames") and not narrow):
        return False
    resource, _, subresource = access.resource.partition("/")
    forms = {access.resource, "*", f"{resource}/*" if subresource else "", f"*/{subresource}" if subresource else ""}
    listed = _words(kind.get("resources"))
    return not listed or bool(forms & set(listed))


def _rules(policy: Mapping[str, object]) -> list[Mapping[str, object]]:
    return _maps(policy.get("rules"))


def _maps(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _words(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
