"""Pods of the pod network and kube-proxy on every node, admission webhooks, and the objects haplane applied."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable

from haplane.domain.applied import short
from haplane.domain.cluster_health import DaemonSet, Webhook, Workloads
from haplane.domain.observed import HostReport, Kubernetes, Observation
from haplane.domain.plan import few
from haplane.domain.status.model import Roster, problem

UP = "`haplane up INVENTORY`"


def most_troubled(reports: Iterable[HostReport]) -> Workloads | None:
    """The view of the master that reports the most amiss: one host cannot hide what another one sees."""
    views = [report.workloads for report in reports if report.workloads is not None]
    return max(views, key=_trouble, default=None)


def _trouble(view: Workloads) -> int:
    lacking = sum(max(one.desired - one.ready, 0) for one in view.daemon_sets)
    leaderless = sum(not lease.holder for lease in view.leases.values())
    return lacking + leaderless + len(view.webhooks) + len(view.missing) + len(view.edited)


def workload_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[str]:
    """One line for each cause: a webhook that keeps a DaemonSet's pods from being created is named with them."""
    masters = observation.of(roster.masters)
    view = most_troubled(masters)
    if view is None:
        return _unknown(masters)
    ready = {node.name for node in kubernetes.nodes if node.ready} if kubernetes else set()
    reported: set[str] = set()
    found = [*objects_problems(view)]
    for one in view.daemon_sets:
        if one.ready >= one.desired:
            continue
        hook = next((hook for hook in view.webhooks if one.warning and hook.webhook in one.warning), None)
        if lacking := _lacking(one, ready, kubernetes):
            reported |= {hook.name} if hook else set()
            found.append(
                problem(f"{one.name}: {lacking}", why=_why(one, ready), fix=_removal(hook) if hook else None)
            )
    return found + [_refusing(hook) for hook in _first_of_each(view.webhooks) if hook.name not in reported]


def _unknown(masters: list[HostReport]) -> list[str]:
    serving = any(report.apiserver.ready for report in masters)
    return ["no API server reports pods, webhooks and leases: their state is unknown"] if serving else []


def objects_problems(view: Workloads) -> list[str]:
    """What somebody deleted or changed of the objects that haplane applied."""
    found = []
    if view.missing:
        found.append(problem(f"deleted from the cluster: {few([short(path) for path in view.missing])}", fix=UP))
    if view.edited:
        found.append(problem(f"changed by hand in the cluster: {few([short(path) for path in view.edited])}", fix=UP))
    return found


def _lacking(one: DaemonSet, ready: Collection[str], kubernetes: Kubernetes | None) -> str | None:
    """Which nodes have no ready pod, of those that are Ready: nodes that are not are a problem of their own."""
    waiting = sorted({pod.node for pod in one.pods if not pod.ready and pod.node in ready})
    without = []
    if kubernetes is not None and one.desired == len(kubernetes.nodes):
        without = sorted(set(ready) - {pod.node for pod in one.pods})
    parts = [f"no pod on {few(without)}"] if without else []
    parts += [f"its pod on {few(waiting)} is not ready"] if waiting else []
    if not parts and len(one.pods) < one.desired and one.desired - len(one.pods) > _not_ready(kubernetes):
        parts = [f"{len(one.pods)} pods, on {one.desired} nodes there should be one"]
    return ", ".join(parts) or None


def _not_ready(kubernetes: Kubernetes | None) -> int:
    return sum(not node.ready for node in kubernetes.nodes) if kubernetes else 0


def _why(one: DaemonSet, ready: Collection[str]) -> str | None:
    if one.warning and len(one.pods) < one.desired:
        return one.warning
    stuck = next((pod for pod in one.pods if not pod.ready and pod.node in ready), None)
    if stuck is None:
        return one.warning
    return f"{stuck.name}: {stuck.reason}{f', {stuck.message}' if stuck.message else ''}"


def _first_of_each(hooks: Iterable[Webhook]) -> list[Webhook]:
    return list({(hook.kind, hook.name): hook for hook in hooks}.values())


def _refusing(hook: Webhook) -> str:
    what = f"{hook.kind} {hook.name} refuses every request for {few(hook.resources) or 'its resources'}"
    return problem(what, why=f"its service {hook.service} has no endpoints", fix=_removal(hook))


def _removal(hook: Webhook) -> str:
    return f"restore {hook.service}, or `kubectl delete {hook.kind} {shlex.quote(hook.name)}`"
