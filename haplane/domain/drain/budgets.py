"""Whether PodDisruptionBudgets let a node's pods go, as the API server's eviction handler decides. Pure.

All pods of the node are looked at together: a budget that lets one of its pods go may not let two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haplane.domain.drain.cluster import Budget
from haplane.domain.drain.pod import Pod
from haplane.domain.plan import few


@dataclass(frozen=True)
class Eviction:
    """What the budgets do to one pod. ``refused``: no eviction succeeds as things are; ``waits``: not at once."""

    refused: str | None = None
    waits: str | None = None


def evictions(
    pods: Sequence[Pod], budgets: Sequence[Budget], replaceable: Callable[[Pod], bool]
) -> dict[str, Eviction]:
    """By uid, for those of ``pods``, which are all to be evicted, that a budget concerns.

    ``replaceable``: another pod takes its place on another node, so that the budget lets the next one go.
    """
    covering = {pod.metadata.uid: [one for one in budgets if one.covers(pod)] for pod in pods}
    concerned = [pod for pod in pods if covering[pod.metadata.uid] and pod.status.phase != "Pending"]
    found = {
        pod.metadata.uid: Eviction(refused=_several(covering[pod.metadata.uid]))
        for pod in concerned
        if len(covering[pod.metadata.uid]) > 1
    }
    for budget in budgets:
        alone = [pod for pod in concerned if covering[pod.metadata.uid] == [budget]]
        if alone:
            found |= _under(budget, alone, replaceable)
    return found


def _several(budgets: Sequence[Budget]) -> str:
    names = few([one.name for one in budgets])
    return f"{len(budgets)} PodDisruptionBudgets select it ({names}): the API server evicts no such pod"


def _under(budget: Budget, pods: Sequence[Pod], replaceable: Callable[[Pod], bool]) -> dict[str, Eviction]:
    """Of pods that this budget alone selects."""
    found = {pod.metadata.uid: _unready(budget) for pod in pods if not pod.ready}
    serving = [pod for pod in pods if pod.ready]
    refused = _refusal(budget)
    if refused is not None:
        return found | {pod.metadata.uid: Eviction(refused=refused) for pod in serving}
    allowed = budget.status.disruptions_allowed
    if len(serving) <= allowed:
        return found
    first, later = serving[:allowed], serving[allowed:]
    at_a_time = f"PodDisruptionBudget {budget.name} lets {allowed} of these {len(serving)} pods go at a time"
    if all(replaceable(pod) for pod in first):
        verdict = Eviction(waits=f"{at_a_time}: this one once a replacement is ready")
    else:
        verdict = Eviction(refused=f"{at_a_time}, and nothing replaces {few([pod.name for pod in first])} elsewhere")
    return found | {pod.metadata.uid: verdict for pod in later}


def _refusal(budget: Budget) -> str | None:
    """Why the budget lets no pod go that is ready; one that its controller has not counted yet may do so soon."""
    status = budget.status
    if status.observed_generation < budget.metadata.generation:
        if status.disruptions_allowed:
            return None
        failed = f"cannot be evaluated: {status.failure[:200]}" if status.failure else "has not been evaluated yet"
        return f"PodDisruptionBudget {budget.name} {failed}"
    counted = f"{status.desired_healthy} of {status.expected_pods} pods have to be healthy"
    if status.expected_pods <= status.desired_healthy:
        return f"PodDisruptionBudget {budget.name} can never be met: {counted}"
    if status.disruptions_allowed < 1:
        return f"PodDisruptionBudget {budget.name} allows no eviction now: {counted}, {status.current_healthy} are"
    return None


def _unready(budget: Budget) -> Eviction:
    status = budget.status
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return Eviction()
    if status.current_healthy >= status.desired_healthy > 0 or status.disruptions_allowed > 0:
        return Eviction()
    return Eviction(
        refused=f"not ready, and PodDisruptionBudget {budget.name} (IfHealthyBudget) evicts such a pod only while "
        f"{max(status.desired_healthy, 1)} others are healthy: {status.current_healthy} are"
    )
