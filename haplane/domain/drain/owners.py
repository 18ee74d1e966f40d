"""Who replaces a pod, and who serves while it is away. Pure."""

from __future__ import annotations

from collections.abc import Collection

from haplane.domain.drain.api import OwnerReference
from haplane.domain.drain.cluster import Job, Owner, Workloads
from haplane.domain.drain.pod import Pod

REPLACING = {
    "ReplicaSet": "apps",
    "ReplicationController": "",
    "StatefulSet": "apps",
    "DaemonSet": "apps",
    "Job": "batch",
}
"""Kinds, with their API groups, whose objects are read: one that is not there does not exist."""

LONGEST_START_SECONDS = 900
"""A pod that became ready later than that was not ready in between, and its start is not known."""


class Owners:
    """The controllers of all pods; ``out`` are nodes that go out of service."""

    def __init__(self, workloads: Workloads, out: Collection[str]) -> None:
        self._objects: dict[str, Owner] = {one.metadata.uid: one for one in (*workloads.owners, *workloads.jobs)}
        self._jobs = {one.metadata.uid: one for one in workloads.jobs}
        self._complete = "owners" not in workloads.unknown
        self._serving: dict[str, list[Pod]] = {}
        for pod in workloads.pods:
            if pod.ready and pod.metadata.deletion_timestamp is None:
                self._serving.setdefault(self._root(pod), []).append(pod)
        self._out = set(out)

    def why_bare(self, pod: Pod) -> str | None:
        """Why nothing replaces the pod, if nothing does."""
        owner = pod.metadata.controller
        if owner is None:
            return "no controller replaces it"
        if self._complete and _is_read(owner) and owner.uid not in self._objects:
            return f"{owner.kind} {owner.name} does not exist any more: nothing replaces it"
        found = self._objects.get(owner.uid)
        if found is not None and found.metadata.deletion_timestamp is not None:
            return f"{owner.kind} {owner.name} is being deleted: nothing replaces it"
        return None

    def why_returns(self, pod: Pod) -> str | None:
        """Why its replacement runs on this very node, cordoned or not: no scheduler is asked."""
        owner = pod.metadata.controller
        found = self._objects.get(owner.uid) if owner is not None else None
        if owner is None or found is None or found.spec.template.spec.node_name != pod.spec.node_name:
            return None
        return f"the template of {owner.kind} {owner.name} names this node (spec.nodeName)"

    def why_abandoned(self, pod: Pod) -> str | None:
        """Why nobody may do again what it was to do, and then end: a step of a workflow, a build."""
        owner = pod.metadata.controller
        if owner is None or _is_read(owner) or pod.spec.restart_policy == "Always":
            return None
        ends = f"restartPolicy {pod.spec.restart_policy}: it is to end by itself"
        return f"{owner.kind} {owner.name} decides whether it runs again ({ends})"

    def job(self, pod: Pod) -> Job | None:
        """The Job that the pod is of."""
        owner = pod.metadata.controller
        return self._jobs.get(owner.uid) if owner is not None else None

    def why_interrupted(self, pod: Pod) -> str | None:
        """Why something is not served while the pod is replaced; None for one that serves nothing now."""
        owner = pod.metadata.controller
        if owner is None:
            return None
        if not _is_read(owner):
            return f"{owner.kind} {owner.name} decides whether it is replaced"
        if owner.kind == "Job":
            return f"Job {owner.name} restarts it from the beginning"
        return self._why_unserved(pod, f"{owner.kind} {owner.name}") if pod.ready else None

    def _why_unserved(self, pod: Pod, owner: str) -> str | None:
        if owner.startswith("StatefulSet "):
            return f"{owner}: there is one pod of this name"
        serving = self._serving.get(self._root(pod), [])
        if any(one.spec.node_name not in self._out for one in serving):
            return None
        if len(serving) == 1:
            return f"the only ready pod of {owner}"
        return f"all {len(serving)} ready pods of {owner} are on nodes that go out of service"

    def _root(self, pod: Pod) -> str:
        """The uid of the Deployment, or whatever is at the top of its owners."""
        owner = pod.metadata.controller
        if owner is None:
            return pod.metadata.uid
        found = self._objects.get(owner.uid)
        above = found.metadata.controller if found is not None else None
        return above.uid if above is not None else owner.uid


def _is_read(owner: OwnerReference) -> bool:
    return REPLACING.get(owner.kind) == owner.group


def start_seconds(pod: Pod) -> int | None:
    """How long this pod took from being scheduled to being ready; None where that is not known any more."""
    scheduled, ready = pod.condition("PodScheduled"), pod.condition("Ready")
    if scheduled is None or ready is None or any(one.restart_count for one in pod.status.container_statuses):
        return None
    if scheduled.last_transition_time is None or ready.last_transition_time is None:
        return None
    seconds = round((ready.last_transition_time - scheduled.last_transition_time).total_seconds())
    return max(0, seconds) if seconds <= LONGEST_START_SECONDS else None
