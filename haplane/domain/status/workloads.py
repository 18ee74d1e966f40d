"""Pods of the pod network and kube-proxy on every node, admission webhooks, and the objects haplane applied."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from haplane.domain.applied import short
from haplane.domain.cluster_health import DaemonSet, Pod, Webhook, Workloads
from haplane.domain.observed import HostReport, Kubernetes, Observation, views_of
from haplane.domain.plan import few
from haplane.domain.problem import UP, Problem, problem, word
from haplane.domain.refusals import (
    fix_of_refusal,
    irreplaceable,
    remedy,
    waits_to_create,
)
from haplane.domain.status.causes import end_of
from haplane.domain.status.model import Roster
from haplane.domain.status.nodes import COREDNS, lacks_dns
from haplane.domain.status.rights import LOST_RIGHT, hindered_components, lost_roles
from haplane.domain.webhooks import Called, called, subject

OPERATING_SYSTEM = "kubernetes.io/os"
"""The node label that kubeadm's manifests ask for."""


NUMBER = re.compile(r"(?<![\w.-])\d+(?![\w.-])")
"""By itself: not within a host's name."""


def silent_webhooks(reports: Iterable[HostReport]) -> tuple[Webhook, ...]:
    """Of all views, each once: what a view reports of it is its own, but for why."""
    hooks = [hook for view in views_of(reports) for hook in view.webhooks]
    return tuple({hook.model_dump_json(exclude={"why"}): hook for hook in hooks}.values())


def workload_problems(
    roster: Roster, observation: Observation, kubernetes: Kubernetes | None, elsewhere: tuple[str, ...] = ()
) -> list[Problem]:
    """Of every master's view: one that reports much, or nothing, hides nothing that another one reports.

    Objects whose paths end with ``elsewhere`` have a line of their own.
    """
    masters = observation.of(roster.masters)
    views = [_without(view, elsewhere) for view in views_of(masters)]
    return united([_problems_in(view, roster, kubernetes) for view in views]) if views else _unknown(masters)


def _without(view: Workloads, elsewhere: tuple[str, ...]) -> Workloads:
    kept = {
        name: tuple(path for path in paths if not path.endswith(elsewhere))
        for name, paths in (("missing", view.missing), ("edited", view.edited))
    }
    return view.model_copy(update=kept) if elsewhere else view


def united(found: Iterable[Iterable[Problem]]) -> list[Problem]:
    """All of them, each once: where only numbers or causes differ, as most views have it."""
    alike: dict[str, Counter[Problem]] = {}
    for problems in found:
        for one in dict.fromkeys(problems):
            alike.setdefault(_subject(one), Counter())[one] += 1
    return [worded.most_common(1)[0][0] for worded in alike.values()]


def _subject(one: Problem) -> str:
    """What it is about, without counts."""
    return NUMBER.sub("#", one.what)


def _problems_in(view: Workloads, roster: Roster, kubernetes: Kubernetes | None) -> list[Problem]:
    """One line for each cause: a webhook that keeps a DaemonSet's pods from being created is named with them."""
    ready = {node.name for node in kubernetes.nodes if node.ready} if kubernetes else set()
    reported: set[str] = set()
    found = [*objects_problems(view), *lost_roles(view)]
    for one in view.daemon_sets:
        if left_out := _left_out(one, roster, kubernetes):
            found.append(replace(left_out, fix=UP) if _is_edited(one, view) else left_out)
        if one.ready >= one.desired:
            continue
        hook = next((hook for hook in view.webhooks if one.warning and hook.webhook in one.warning), None)
        if lacking := _lacking(one, ready, kubernetes):
            reported |= {hook.name} if hook else set()
            fix, stuck = removal(hook) if hook else _fix(one, ready, view), _stuck(one, ready)
            ends = end_of(stuck.reason if stuck else None)
            found.append(problem(f"{one.name}: {lacking}", why=_why(one, ready), fix=fix, ends=ends))
    found += hindered_components(view)
    found += [_refusing(hook) for hook in _first_of_each(view.webhooks) if hook.name not in reported]
    found += [_delaying(hook) for hook in _first_of_each(view.delaying) if called(hook, view) is not Called.NO]
    return found + [
        one for fix, one in _irreplaceable(view, kubernetes).items() if not any(fix in other.fix for other in found)
    ]


def _irreplaceable(view: Workloads, kubernetes: Kubernetes | None) -> dict[str, Problem]:
    """By what ends it: pods that run and would not be made again. Why CoreDNS lacks one is named with that."""
    alike: dict[str, dict[str, str]] = {}
    for name, why in irreplaceable(view).items():
        if name == COREDNS and lacks_dns(kubernetes):
            continue
        fix = UP if view.lost_roles and LOST_RIGHT.search(why) else fix_of_refusal(name, why)
        alike.setdefault(fix, {})[name] = why
    what = "API servers would refuse pods that replace those that run"
    return {
        fix: problem(f"{few(list(whys))}: {what}", why=next(iter(whys.values())), fix=fix)
        for fix, whys in alike.items()
    }


def _left_out(one: DaemonSet, roster: Roster, kubernetes: Kubernetes | None) -> Problem | None:
    """kube-proxy and flannel are for every node: what keeps them from one was written by somebody."""
    everywhere = ("kube-system/kube-proxy", *(("kube-flannel/flannel",) if roster.own_pod_network else ()))
    ready = sum(node.ready for node in kubernetes.nodes) if kubernetes else 0
    if one.name not in everywhere or one.desired >= ready:
        return None
    what = f"{one.name}: it is for {one.desired} nodes, {ready} are Ready"
    namespace, _, name = one.name.partition("/")
    if added := {key: value for key, value in one.selects.items() if key != OPERATING_SYSTEM}:
        patch = json.dumps({"spec": {"template": {"spec": {"nodeSelector": dict.fromkeys(added)}}}})
        why = f"its nodeSelector wants {few([f'{key}={value}' for key, value in added.items()])}"
        fix = f"`kubectl --namespace={namespace} patch daemonset {name} --patch='{patch}'`"
        return problem(what, why=why, fix=fix)
    shown = f"`kubectl --namespace={namespace} get daemonset {name} --output=yaml` shows them"
    return problem(what, why="its affinity or tolerations leave the others out", fix=shown)


def _is_edited(one: DaemonSet, view: Workloads) -> bool:
    namespace, _, name = one.name.partition("/")
    return any(path.endswith(f"/{namespace}/daemonsets/{name}") for path in view.edited)


def _unknown(masters: list[HostReport]) -> list[Problem]:
    serving = any(report.apiserver.ready for report in masters)
    if not serving or any(report.apiserver.forbids for report in masters):
        return []
    return [
        problem(
            "no API server reports pods, webhooks and leases: their state is unknown",
            why="those that are ready returned no usable answer to an administrator's request",
            fix="on a master: `kubectl get --raw '/readyz?verbose'`",
        )
    ]


def objects_problems(view: Workloads) -> list[Problem]:
    """What somebody deleted or changed of the objects that haplane applied, or that nothing tells which they are."""
    found = []
    if not view.recorded:
        what = "it is unknown which objects of the cluster haplane applied, and whether any is missing"
        why = "the ConfigMap kube-system/haplane, which lists them, was deleted or emptied, or is of an older haplane"
        found.append(problem(what, why=why, fix=UP))
    if view.missing:
        found.append(problem(f"deleted from the cluster: {few([short(path) for path in view.missing])}", fix=UP))
    if view.held:
        what = f"deleted from the cluster, and held by finalizers: {few([short(path) for path in view.held])}"
        shown = f"`kubectl get --raw {word(view.held[0])}` shows them"
        found.append(problem(what, why="nothing maintains it any more", fix=f"{shown}; remove those, then {UP}"))
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
        parts = [f"{len(one.pods)} pods; there should be one on each of {one.desired} nodes"]
    return ", ".join(parts) or None


def _not_ready(kubernetes: Kubernetes | None) -> int:
    return sum(not node.ready for node in kubernetes.nodes) if kubernetes else 0


def _why(one: DaemonSet, ready: Collection[str]) -> str | None:
    stuck = _stuck(one, ready)
    if stuck is None:
        return one.warning
    return f"{stuck.name}: {stuck.reason}{f', {stuck.message}' if stuck.message else ''}"


def _stuck(one: DaemonSet, ready: Collection[str]) -> Pod | None:
    """The first that is not ready, unless one could not be made at all and it is known why."""
    if one.warning and len(one.pods) < one.desired:
        return None
    return next((pod for pod in one.pods if not pod.ready and pod.node in ready), None)


def _fix(one: DaemonSet, ready: Collection[str], view: Workloads) -> str:
    """One command for what keeps its pods from being made, or one of them from being ready."""
    namespace, _, name = one.name.partition("/")
    if waits_to_create(one, view):
        return UP
    if stuck := _stuck(one, ready):
        return fix_of_pod(namespace, stuck.name, stuck.reason)
    if one.name in view.refused:
        return fix_of_refusal(one.name, view.refused[one.name])
    shown = f"`kubectl --namespace={namespace} describe daemonset {name}` shows why"
    return remedy(namespace, one.warning or "") or shown


def fix_of_pod(namespace: str, name: str, reason: str) -> str:
    """For what a pod waits for: `up` imports images."""
    if reason.startswith(("ErrImage", "ImagePull")):
        return UP
    if reason.startswith("crash"):
        return f"`kubectl --namespace={namespace} logs {name} --previous` shows its last output"
    return f"`kubectl --namespace={namespace} describe pod {name}` shows why"


def conversion_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """Of every master's view, as with other webhooks."""
    found = {one.name: one for report in observation.of(roster.masters) for one in report.conversions}
    return [
        problem(
            f"objects of {one.name} cannot be read: namespaces and garbage are not deleted",
            why=f"its conversion webhook does not answer: {one.why}",
            fix=f"restore {one.target or 'what serves it'}, or `kubectl edit crd {word(one.name)}`",
        )
        for one in found.values()
    ]


def _first_of_each(hooks: Iterable[Webhook]) -> list[Webhook]:
    return list({(hook.kind, hook.name): hook for hook in hooks}.values())


def _refusing(hook: Webhook) -> Problem:
    return problem(f"{hook.kind} {hook.name} refuses {subject(hook)}", why=hook.why, fix=removal(hook))


def _delaying(hook: Webhook) -> Problem:
    what = f"{hook.kind} {hook.name} delays {subject(hook)} by {hook.seconds} s"
    return problem(what, why=hook.why, fix=removal(hook))


def removal(hook: Webhook) -> str:
    """What ends its refusals."""
    return f"restore {hook.target or 'what serves it'}, or `kubectl delete {hook.kind} {word(hook.name)}`"
