"""What API servers refuse the cluster's own pods for, and the command that ends that. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from haplane.domain.cluster_health import DaemonSet, Workloads
from haplane.domain.drain.api import thousandths
from haplane.domain.problem import UP

SYSTEM_CRITICAL = 2 * 1_000_000_000
"""Twice what users may define (pkg/apis/scheduling/types.go); system-node-critical is 1000 more."""
RESTART_APISERVER = (
    "cd /etc/kubernetes; mv manifests/kube-apiserver.yaml .; sleep 20; mv kube-apiserver.yaml manifests/"
)
"""Of one master: it makes anew what is missing of Kubernetes' own roles and their bindings."""
REMEDIES = (
    (r"(?:exceeded|failed) quota: ([a-z0-9.-]+)", "`kubectl --namespace={namespace} delete resourcequota {0}`"),
    (
        r"(?:usage|ratio) per (?:Container|Pod) is|must be less than or equal to [a-z0-9-]+ limit",
        "see `kubectl --namespace={namespace} get limitranges`, and delete the one that refuses",
    ),
    (r"violates PodSecurity", "`kubectl label namespace {namespace} pod-security.kubernetes.io/enforce-`"),
    (
        r"ValidatingAdmissionPolicy '[^']+' with binding '([a-z0-9.-]+)' denied",
        "`kubectl delete validatingadmissionpolicybinding {0}`",
    ),
    (
        r"ValidatingAdmissionPolicy '([a-z0-9.-]+)' denied",
        "`kubectl delete validatingadmissionpolicy {0}`",
    ),
    (r"\bpolicy '[^']+' with binding '([a-z0-9.-]+)' denied", "`kubectl delete mutatingadmissionpolicybinding {0}`"),
    (
        r'admission webhook "([a-z0-9.-]+)" denied',
        "exempt {namespace} from the webhook {0}: "
        "`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations --output=yaml` shows its rules",
    ),
    (
        r'User "system:serviceaccount:kube-system:[a-z-]+" cannot',
        f"on a master: `{RESTART_APISERVER}`: an API server restores these rights when it starts",
    ),
    (
        r"HTTP 429: ",
        "`kubectl get flowschemas,prioritylevelconfigurations` shows what rejects them, unless it passes",
    ),
    (r"serviceaccount \"[a-z0-9.-]+\" not found", UP),
    (
        r"no PriorityClass with name system-node-critical",
        f"`kubectl create priorityclass system-node-critical --value={SYSTEM_CRITICAL + 1000}`",
    ),
    (
        r"no PriorityClass with name system-cluster-critical",
        f"`kubectl create priorityclass system-cluster-critical --value={SYSTEM_CRITICAL}`",
    ),
)
"""What an API server says when it refuses a pod -> the command that ends that; groups are {0}."""

FAILED_CREATE = "FailedCreate: "
"""What a controller's reason for having made no pod begins with."""
QUOTA = re.compile(r"exceeded quota: .*requested: (\S+), used: (\S+), limited: (\S+)$")


def remedy(namespace: str, refusal: str) -> str | None:
    """One command that ends what an API server refuses a pod for; None for what is not known here."""
    for pattern, command in REMEDIES:
        if found := re.search(pattern, refusal):
            return command.format(*found.groups(), namespace=namespace)
    return None


def fix_of_refusal(name: str, why: str) -> str:
    """The same for a pod of NAMESPACE/NAME, or what shows what may be in the way."""
    namespace = name.partition("/")[0]
    shown = f"`kubectl describe namespace {namespace}` shows its quotas, limits and labels"
    return remedy(namespace, why) or shown


def waits_to_create(one: DaemonSet, view: Workloads) -> bool:
    """Whether what kept its pods from being made is gone, and its controller waits before it tries again."""
    return len(one.pods) < one.desired and was_refused(one.name, one.warning or "", view)


def was_refused(name: str, why: str, view: Workloads) -> bool:
    """Whether pods of NAMESPACE/NAME were refused, and would be taken now: the quota or the webhook is gone.

    Their controller waits up to 16 minutes (k8s.io/client-go, DefaultTypedControllerRateLimiter), unless the object
    changes.
    """
    still = name in view.refused or any(hook.webhook in why for hook in view.webhooks)
    return why.startswith(FAILED_CREATE) and not still


def irreplaceable(view: Workloads) -> Mapping[str, str]:
    """NAMESPACE/NAME of those whose pods run and would not be made again -> why."""
    return {name: why for name, why in without_silent_webhooks(view, view.refused).items() if not is_only_full(why)}


def irreplaceable_pods(views: Sequence[Workloads]) -> dict[str, str]:
    """The same of what any API server would not take again, in the first one's words."""
    return {name: why for view in reversed(views) for name, why in irreplaceable(view).items()}


def without_silent_webhooks(view: Workloads, refusals: Mapping[str, str]) -> dict[str, str]:
    """Those that no webhook makes which does not answer: it is named by itself."""
    named = [f'"{hook.webhook}"' for hook in view.webhooks]
    return {name: why for name, why in refusals.items() if not any(hook in why for hook in named)}


def is_only_full(refusal: str) -> bool:
    """Whether a quota has room for the pods there are, so for one that takes another's place, and for no more."""
    found = QUOTA.search(refusal)
    if found is None:
        return False
    used, limited = (dict(one.split("=", 1) for one in text.split(",")) for text in found.groups()[1:])
    try:
        return all(thousandths(used[name]) <= thousandths(limit) for name, limit in limited.items())
    except (LookupError, ValueError):
        return False
