"""Pods of two containers of which one fails, under every policy that decides what becomes of the pod. Pure.

The outcomes are those of https://kubernetes.io/docs/concepts/workloads/ in pods/pod-lifecycle/ (restart policy,
container restart rules), pods/sidecar-containers/ and controllers/job/#pod-failure-policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LABEL = "haplane-drill-case"
FAILS, STAYS = "fails", "stays"
FAILING_ARGUMENTS = ["-conf", "/haplane-drill/missing"]
"""Of CoreDNS, which every node has an image of: it looks for this file and ends with FAILED_CODE."""

FAILED_CODE = 1
DEADLINE_SECONDS = 15
REFUSED_FIELD = "restartPolicy"
"""What an API server that does not know restart rules, or an action of theirs, finds fault with."""


@dataclass(frozen=True)
class Container:
    """One container of a pod so far. ``started``: how many times."""

    running: bool = False
    ended: bool = False
    started: int = 0

    @property
    def untouched(self) -> bool:
        """Whether it runs and was never started again."""
        return self.running and self.started == 1


@dataclass(frozen=True)
class PodState:
    """A pod at one time: its phase, both containers, and whether its Job, if it has one, has failed."""

    phase: str
    fails: Container
    stays: Container
    job_failed: bool = False


@dataclass(frozen=True)
class Case:
    """``name`` is the object's; ``outcome`` is what is documented, seen once ``happened`` is true.

    ``lasts``: and it has to stay so. ``rules``: the object has restart rules, which not every API server knows.
    """

    name: str
    policy: str
    outcome: str
    happened: Callable[[PodState], bool]
    spec: Mapping[str, Any]
    job: Mapping[str, Any] | None = None
    lasts: bool = False
    rules: bool = False

    def body(self, images: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """The collection that the object belongs to, and the object. ``images``: of pause and of coredns."""
        metadata = {"name": self.name, "labels": {LABEL: self.name}}
        spec = {
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}],
            **{key: _with_images(value, images) for key, value in self.spec.items()},
        }
        if self.job is None:
            return "pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        template = {"metadata": {"labels": {LABEL: self.name}}, "spec": spec}
        job = {"backoffLimit": 6, **self.job, "template": template}
        return "jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job}


def _with_images(value: Any, images: Mapping[str, str]) -> Any:  # noqa: ANN401 - a part of a pod's spec
    if not isinstance(value, list):
        return value
    return [{**one, "image": images["coredns" if "args" in one else "pause"]} for one in value]


def _failing(**more: object) -> dict[str, Any]:
    return {"name": FAILS, "command": ["/coredns"], "args": FAILING_ARGUMENTS, **more}


def _rules(action: str) -> dict[str, Any]:
    codes = {"operator": "In", "values": [FAILED_CODE]}
    return _failing(restartPolicy="Never", restartPolicyRules=[{"action": action, "exitCodes": codes}])


def _alone_restarts(now: PodState) -> bool:
    return now.fails.started > 1 and now.stays.untouched


def _others_run_on(now: PodState) -> bool:
    return now.fails.ended and now.stays.untouched and now.phase == "Running" and not now.job_failed


_STAYING: dict[str, Any] = {"name": STAYS}
_SIDECAR = {"restartPolicy": "Always"}
_TWO = [_STAYING, _failing()]
_NOT_ALIVE = {"tcpSocket": {"port": 1}, "initialDelaySeconds": 2, "periodSeconds": 1, "failureThreshold": 1}
_FAIL_JOB = {
    "action": "FailJob",
    "onExitCodes": {"containerName": FAILS, "operator": "In", "values": [FAILED_CODE]},
}

CASES = (
    Case(
        "always",
        "restartPolicy Always",
        "the container alone restarts",
        _alone_restarts,
        {"restartPolicy": "Always", "containers": _TWO},
    ),
    Case(
        "never",
        "restartPolicy Never",
        "the container ends, the other one runs on",
        _others_run_on,
        {"restartPolicy": "Never", "containers": _TWO},
        lasts=True,
    ),
    Case(
        "deadline",
        f"restartPolicy Never, activeDeadlineSeconds {DEADLINE_SECONDS}",
        "the whole pod ends",
        lambda now: now.phase == "Failed",
        {"restartPolicy": "Never", "activeDeadlineSeconds": DEADLINE_SECONDS, "containers": _TWO},
    ),
    Case(
        "job-on-failure",
        "Job, restartPolicy OnFailure",
        "the container alone restarts",
        _alone_restarts,
        {"restartPolicy": "OnFailure", "containers": _TWO},
        job={},
    ),
    Case(
        "job-policy",
        "Job, podFailurePolicy FailJob",
        "the container ends, the other one and the Job run on",
        _others_run_on,
        {"restartPolicy": "Never", "containers": _TWO},
        job={"podFailurePolicy": {"rules": [_FAIL_JOB]}},
        lasts=True,
    ),
    Case(
        "job-sidecar",
        "Job, podFailurePolicy FailJob, the other one a sidecar",
        "the whole pod ends and the Job has failed",
        lambda now: now.phase == "Failed" and now.job_failed,
        {"restartPolicy": "Never", "initContainers": [_STAYING | _SIDECAR], "containers": [_failing()]},
        job={"podFailurePolicy": {"rules": [_FAIL_JOB]}},
    ),
    Case(
        "sidecar",
        "a sidecar whose liveness probe fails",
        "the sidecar alone restarts",
        _alone_restarts,
        {
            "restartPolicy": "Never",
            "initContainers": [{"name": FAILS, "livenessProbe": _NOT_ALIVE, **_SIDECAR}],
            "containers": [_STAYING],
        },
    ),
    Case(
        "rule-restart",
        "restartPolicy Never, restartPolicyRules Restart",
        "the container alone restarts",
        _alone_restarts,
        {"restartPolicy": "Never", "containers": [_STAYING, _rules("Restart")]},
        rules=True,
    ),
    Case(
        "rule-restart-all",
        "restartPolicy Never, restartPolicyRules RestartAllContainers",
        "all containers restart in the same pod",
        lambda now: now.fails.started > 1 and now.stays.started > 1,
        {"restartPolicy": "Never", "containers": [_STAYING, _rules("RestartAllContainers")]},
        rules=True,
    ),
)


def keeps_rules(kept: Mapping[str, Any]) -> bool:
    """Whether the API server that kept this pod knows restart rules: one that does not drops the field."""
    return any(one.get("restartPolicyRules") for one in kept["spec"]["containers"])


class PodHistory:
    """One case's pod as it was seen over time."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {FAILS: set(), STAYS: set()}

    def state(self, pod: Mapping[str, Any], *, job_failed: bool) -> PodState:
        """Take in the pod as the API shows it now."""
        status = pod.get("status", {})
        shown = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        by_name = {one["name"]: one for one in shown}
        containers = {name: self._container(name, by_name.get(name, {})) for name in (FAILS, STAYS)}
        return PodState(status.get("phase", ""), containers[FAILS], containers[STAYS], job_failed)

    def _container(self, name: str, shown: Mapping[str, Any]) -> Container:
        """Restarts are counted by ids as well: what restarts a whole pod may count anew."""
        if identity := shown.get("containerID"):
            self._ids[name].add(identity)
        state = shown.get("state", {})
        ended = "terminated" in state or "terminated" in shown.get("lastState", {})
        started = max(len(self._ids[name]), shown.get("restartCount", 0) + 1 if self._ids[name] else 0)
        return Container("running" in state, ended, started)
