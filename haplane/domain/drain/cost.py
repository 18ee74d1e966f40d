"""What happens to every pod of a node that is drained, or rebooted with its pods in place. Pure.

The invariant: each pod of the node is in the list once, with one effect, and nothing is lost that the list does not
name. A pod with several reasons has the gravest effect; all its reasons are given.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import inf

from haplane.domain.cluster_health import OwnObject, Webhook
from haplane.domain.drain.budgets import Eviction, evictions
from haplane.domain.drain.cluster import Job, Workloads
from haplane.domain.drain.data import (
    SAFE_TO_EVICT,
    lost_with_the_memory,
    lost_with_the_pod,
    of_the_pod_alone,
    single_node_claims,
)
from haplane.domain.drain.grace import why_late
from haplane.domain.drain.owners import Owners, start_seconds
from haplane.domain.drain.placement import Placement
from haplane.domain.drain.pod import Pod
from haplane.domain.webhooks import matches

MIRROR = "kubernetes.io/config.mirror"
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
COUNTED_BY_CONTROLLERS = ("batch.kubernetes.io/job-tracking", "foregroundDeletion", "orphan")
"""Finalizers that Kubernetes' own controllers take away by themselves."""

OVERDUE = timedelta(minutes=1)
"""A kubelet ends a pod well within that after its grace period."""


class Effect(Enum):
    """In the order of gravity."""

    BLOCKS = "blocks"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    MOVED = "moved"
    STAYS = "stays"
    ENDS = "ends with the node"


@dataclass(frozen=True)
class Cost:
    """Of one pod, NAMESPACE/NAME. ``seconds``: for how long it does not serve, where its own start tells.

    ``deadlock``: no eviction of it succeeds, however long it is waited for. ``returns``: its replacement is put onto
    this node again, cordoned or not.
    """

    pod: str
    uid: str
    effect: Effect
    why: tuple[str, ...]
    seconds: int | None = None
    deadlock: bool = False
    returns: bool = False


@dataclass(frozen=True)
class Drain:
    """``out`` are other nodes that take no pods meanwhile, ``seconds`` is how long it waits for the pods to be gone.

    ``reboots``: so does the host afterwards; ``leaves``: its Node is deleted then. ``webhooks`` are those that do not
    answer.
    """

    out: Collection[str]
    now: datetime
    seconds: float = inf
    reboots: bool = False
    leaves: bool = False
    webhooks: Collection[Webhook] = ()


def cost_of_drain(workloads: Workloads, node: str, drain: Drain) -> tuple[Cost, ...]:
    """The cost of every pod on ``node``, by their names."""
    return _DrainedNode(workloads, node, drain).costs()


def to_evict(workloads: Workloads, node: str) -> tuple[Pod, ...]:
    """The pods that a drain of the node evicts."""
    return tuple(pod for pod in workloads.on(node) if _why_stays(pod) is None)


def _why_stays(pod: Pod) -> str | None:
    """Why a drain leaves it alone, if it does."""
    if MIRROR in pod.metadata.annotations:
        return "static pod: ends and starts with the host"
    if pod.metadata.controller is not None and pod.metadata.controller.kind == "DaemonSet":
        return f"DaemonSet {pod.metadata.controller.name}: one for each node"
    return f"has ended ({pod.status.phase})" if pod.ended else None


class _DrainedNode:
    def __init__(self, workloads: Workloads, node: str, drain: Drain) -> None:
        self._workloads, self._drain, out = workloads, drain, {node, *drain.out}
        self._pods = workloads.on(node)
        self._owners = Owners(workloads, out)
        evicted = to_evict(workloads, node)
        going = [pod for pod in workloads.pods if pod.spec.node_name in out and _why_stays(pod) is None]
        staying = [pod for pod in self._pods if _why_stays(pod) is not None and not pod.ended]
        self._kept = {claim.name: pod.name for pod in staying for claim in single_node_claims(pod, workloads)}
        placement = Placement(workloads, out, {pod.metadata.uid for pod in going})
        placed = [pod for pod in going if self._owners.why_bare(pod) is None and not self._owners.why_returns(pod)]
        self._nowhere = placement.place_all(placed)
        leaving = [pod for pod in evicted if pod.metadata.deletion_timestamp is None]
        self._evictions = evictions(leaving, workloads.budgets, self._is_replaced)

    def costs(self) -> tuple[Cost, ...]:
        return tuple(self._cost_of(pod) for pod in sorted(self._pods, key=lambda pod: pod.name))

    def _cost_of(self, pod: Pod) -> Cost:
        drain = self._drain
        if staying := _staying(pod, self._workloads, reboots=drain.reboots, leaves=drain.leaves):
            return staying
        late = why_late(pod, drain.now, drain.seconds)
        if pod.metadata.deletion_timestamp is not None:
            return self._terminating(pod, late)
        eviction = self._evictions.get(pod.metadata.uid, Eviction())
        blocks, lost = self._blocks(pod, eviction), self._losses(pod)
        cut = self._interruptions(pod)
        notes = [*(one for one in (eviction.waits, late) if one), *self._refusals(pod, always=False), *_devices(pod)]
        graded = ((Effect.BLOCKS, blocks), (Effect.LOST, lost), (Effect.INTERRUPTED, cut))
        return Cost(
            pod.name,
            pod.metadata.uid,
            next((effect for effect, reasons in graded if reasons), Effect.MOVED),
            (*blocks, *lost, *cut, *notes),
            seconds=start_seconds(pod) if cut else None,
            deadlock=eviction.refused is not None,
            returns=self._owners.why_returns(pod) is not None,
        )

    def _is_replaced(self, pod: Pod) -> bool:
        """Where does not matter to a budget."""
        if self._owners.why_returns(pod) and not self._drain.leaves:
            return self._owners.why_bare(pod) is None
        return self._nowhere.get(pod.metadata.uid, "nothing replaces it") is None

    def _terminating(self, pod: Pod, late: str | None) -> Cost:
        """Deleted by somebody before: waited for, not evicted."""
        ends = pod.metadata.deletion_timestamp
        if held := _held_by(pod):
            return _cost(pod, Effect.BLOCKS, f"is terminating, and {held}")
        if ends is not None and self._drain.now - ends > OVERDUE:
            return _cost(
                pod, Effect.BLOCKS, f"terminating since {ends:%Y-%m-%dT%H:%M:%SZ}, and its kubelet does not end it"
            )
        return _cost(pod, Effect.MOVED, "is terminating already", *([late] if late else []))

    def _blocks(self, pod: Pod, eviction: Eviction) -> list[str]:
        """What keeps it on the node, or should."""
        found = [eviction.refused] if eviction.refused else []
        if held := _held_by(pod):
            found.append(held)
        if pod.metadata.annotations.get(SAFE_TO_EVICT) == "false":
            found.append(f'annotated {SAFE_TO_EVICT}: "false"')
        if nowhere := self._nowhere.get(pod.metadata.uid) or self._owners.why_returns(pod):
            found.append(f"its replacement runs nowhere else: {nowhere}")
        found += self._refusals(pod, always=True)
        for claim in single_node_claims(pod, self._workloads):
            if user := self._kept.get(claim.name):
                found.append(f"its replacement runs nowhere else: {claim.name} is used here by {user}, which stays")
        return found

    def _refusals(self, pod: Pod, *, always: bool) -> list[str]:
        """Webhooks that no replacement gets past, ``always`` or perhaps."""
        if self._owners.why_bare(pod) is not None:
            return []
        one = OwnObject(resource="pods", namespace=pod.metadata.namespace, labels=pod.metadata.labels)
        labels = self._workloads.labels_of_namespaces
        return [
            f"its replacement is refused by {hook.kind} {hook.name}{_perhaps(hook)}: {hook.why}"
            for hook in self._drain.webhooks
            if always is (_perhaps(hook) == "") and matches(hook, one, labels, ("CREATE",))
        ]

    def _losses(self, pod: Pod) -> list[str]:
        bare = self._owners.why_bare(pod) or self._owners.why_abandoned(pod)
        job = self._owners.job(pod)
        ends = _job_fails(job, pod, job.action_on_eviction) if job is not None else None
        return [*([bare] if bare else []), *([ends] if ends else []), *lost_with_the_pod(pod, self._workloads)]

    def _interruptions(self, pod: Pod) -> list[str]:
        found = [
            f"{claim.name} is attached to one node at a time" for claim in single_node_claims(pod, self._workloads)
        ]
        why = self._owners.why_interrupted(pod)
        if why and not self._owners.why_abandoned(pod):
            found.append(why)
        if pod.tolerates_cordons and self._owners.why_bare(pod) is None:
            found.append("tolerates cordoned nodes: its replacement may come back here, and then stays")
        return found


def _devices(pod: Pod) -> list[str]:
    """Of resource claims: which nodes have such devices is the drivers' to know."""
    names = ", ".join(claim.name for claim in pod.spec.resource_claims)
    return [f"whether another node has the devices of its resource claims ({names}) is not known"] if names else []


def _perhaps(hook: Webhook) -> str:
    """When, for one that does not refuse every try: a controller tries again."""
    if hook.conditional:
        return " if its matchConditions match"
    return " until it is tried at another endpoint" if hook.partly else ""


def cost_of_reboot_in_place(workloads: Workloads, node: str) -> tuple[Cost, ...]:
    """Of every pod on a node that is rebooted quickly, without a drain: pods keep their names, containers restart."""
    owners = Owners(workloads, {node})
    return tuple(_in_place(pod, workloads, owners) for pod in sorted(workloads.on(node), key=lambda pod: pod.name))


def _in_place(pod: Pod, workloads: Workloads, owners: Owners) -> Cost:
    if staying := _staying(pod, workloads, reboots=True):
        return staying
    if pod.metadata.deletion_timestamp is not None:
        return _cost(pod, Effect.STAYS, "is terminating already")
    lost = list(lost_with_the_memory(pod, workloads))
    if pod.spec.restart_policy == "Never" and (job := owners.job(pod)) is None:
        lost.append("restartPolicy Never: it ends as Failed")
    elif pod.spec.restart_policy == "Never" and job is not None and (ends := _job_fails(job, pod)):
        lost.append(ends)
    if lost:
        return _cost(pod, Effect.LOST, *lost)
    cut = owners.why_interrupted(pod) or owners.why_bare(pod)
    if cut:
        return _cost(pod, Effect.INTERRUPTED, f"{cut}; its containers restart here")
    return _cost(pod, Effect.STAYS, "its containers restart here; other pods serve meanwhile")


def _staying(pod: Pod, workloads: Workloads, *, reboots: bool, leaves: bool = False) -> Cost | None:
    """Of a pod that no drain evicts: a boot empties its memory all the same, and it ends with its node."""
    why = _why_stays(pod)
    if why is None:
        return None
    if leaves:
        return _cost(pod, Effect.ENDS, *(() if pod.ended else of_the_pod_alone(pod, workloads)), why)
    lost = lost_with_the_memory(pod, workloads) if reboots and not pod.ended else ()
    return _cost(pod, Effect.LOST if lost else Effect.STAYS, *lost, why)


def _cost(pod: Pod, effect: Effect, *why: str) -> Cost:
    return Cost(pod.name, pod.metadata.uid, effect, why)


def _held_by(pod: Pod) -> str | None:
    others = [one for one in pod.metadata.finalizers if one not in COUNTED_BY_CONTROLLERS]
    return f"finalizer {', '.join(others)} keeps it until whoever set it removes it" if others else None


def _job_fails(job: Job, pod: Pod, action: str = "Count") -> str | None:
    """Why a Job, or the index of it that the pod is of, does not go on once the pod has failed.

    ``action`` is that of the rule which applies to it.
    """
    name, spec = job.metadata.name, job.spec
    if action in ("FailJob", "FailIndex"):
        return f"Job {name}: its podFailurePolicy has {action} for an evicted pod"
    if action == "Ignore":
        return None
    noted = pod.metadata.annotations.get(INDEX_FAILURES, "")
    failed = int(noted) if noted.isascii() and noted.isdigit() else 0
    if spec.backoff_limit_per_index is not None and failed >= spec.backoff_limit_per_index:
        return f"Job {name}: its index fails, backoffLimitPerIndex {spec.backoff_limit_per_index}"
    if job.status.failed >= spec.backoff_limit:
        return f"Job {name} fails: {job.status.failed} pods of it failed, backoffLimit {spec.backoff_limit}"
    return None
