"""What API servers write into their audit log: who did what to which object, never the content of a Secret."""

from __future__ import annotations

import json

READS = ["get", "list", "watch"]

HEAD = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"]}
RULES: tuple[dict[str, object], ...] = (
    {"level": "None", "nonResourceURLs": ["/livez*", "/readyz*", "/healthz*", "/metrics", "/version"]},
    # Ahead of the rules that drop reads: an exec through a kubelet or a proxy is a GET, whoever sends it.
    {
        "level": "Metadata",
        "resources": [
            {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
            {"group": "", "resources": ["pods/exec", "pods/attach", "pods/portforward", "pods/log"]},
            {"group": "", "resources": ["pods/proxy", "services/proxy", "nodes/proxy"]},
            {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
        ],
    },
    {"level": "None", "verbs": READS, "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
    {
        "level": "None",
        "verbs": READS,
        "resources": [
            {"group": "coordination.k8s.io", "resources": ["leases"]},
            {"group": "", "resources": ["events"]},
            {"group": "events.k8s.io", "resources": ["events"]},
        ],
    },
    {"level": "Metadata"},
)


def audit_policy() -> str:
    """The policy as a file, a rule a line. JSON, which is YAML too: the checks read it without a parser of that."""
    rules = ",\n".join(f"  {json.dumps(rule)}" for rule in RULES)
    return json.dumps(HEAD, indent=1).removesuffix("\n}") + f',\n "rules": [\n{rules}\n ]\n}}\n'
