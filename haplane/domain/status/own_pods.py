"""The cluster's own pods: those that crash again and again, run out of memory or do not go; and CoreDNS'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from haplane.domain.findings import Crashing, Findings, Lingering
from haplane.domain.observed import HostReport, Kubernetes
from haplane.domain.plan import few
from haplane.domain.problem import Ends, Problem, journal, problem, word
from haplane.domain.status.nodes import EDIT_COREFILE
from haplane.domain.status.registration import FREE

START_SECONDS = 60.0
OUT_OF_MEMORY = "OOMKilled"
"""As the kubelet reports it."""


def own_pod_problems(
    view: Findings, kubernetes: Kubernetes | None, reports: Mapping[str, HostReport]
) -> Iterator[Problem]:
    """As most of the masters report them."""
    yield from (_crashing(one) for one in view.crashing)
    ready = {node.name for node in kubernetes.nodes if node.ready} if kubernetes else set()
    had_time = {name for name in ready if not _has_just_started(reports.get(name))}
    yield from (_not_going(one) for one in view.not_going if one.held or one.node in had_time)
    if view.paused:
        yield problem(
            "the Deployment coredns is paused: changes of it have no effect",
            fix="`kubectl --namespace=kube-system rollout resume deployment coredns`",
        )
    if view.unforwarded:
        servers = few(list(view.unforwarded))
        yield problem(
            f"CoreDNS passes queries on to {servers}, where nothing answers: pods do not resolve those names",
            why="the Corefile names no other server for them",
            fix=f"bring {servers} back, or {EDIT_COREFILE}",
        )


def _has_just_started(report: HostReport | None) -> bool:
    """Whether its kubelet has, which then ends what was deleted meanwhile."""
    kubelet = report.units.get("kubelet") if report else None
    return report is not None and kubelet is not None and report.started_at - kubelet.active_since < START_SECONDS


def _crashing(one: Crashing) -> Problem:
    namespace, _, pod = one.name.partition("/")
    if OUT_OF_MEMORY in one.why:
        shown = f"`kubectl --namespace={namespace} describe pod {pod}` shows its limit"
        what = f"{one.node}: {one.name} runs out of memory, though it is running now"
        fix = f"{shown}: raise that, or give {one.node} more"
    else:
        what = f"{one.node}: {one.name} crashes repeatedly, though it is running now"
        fix = f"`kubectl --namespace={namespace} logs {pod} --previous` shows its last output"
    return problem(what, why=one.why, fix=fix, needs=[one.node], ends=Ends.AFTER_BACK_OFF)


def _not_going(one: Lingering) -> Problem:
    """On a node that is not Ready that is why, and has a line of its own."""
    namespace, _, pod = one.name.partition("/")
    what = f"{one.name} has been terminating for minutes"
    if one.held:
        fix = f"`kubectl --namespace={namespace} patch pod {word(pod)} {FREE}`"
        return problem(what, why=f"finalizers hold it: {few(list(one.held))}", fix=fix, ends=Ends.BY_ITS_FIX)
    return problem(
        what,
        why=f"the kubelet of {one.node} has not ended it",
        fix=f"{journal(one.node, 'kubelet')} shows why; `systemctl restart kubelet` there has it try again",
        needs=[one.node],
    )
