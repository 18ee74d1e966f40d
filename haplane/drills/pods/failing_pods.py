"""Makes the pods of every case of :mod:`.container_cases` and follows them until each has its outcome."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from haplane.drills.limits import Figure
from haplane.drills.pods.container_cases import CASES, LABEL, REFUSED_FIELD, Case, PodHistory, PodState, keeps_rules
from haplane.drills.pods.pod_set import image_of
from haplane.drills.probing.client import Client
from haplane.drills.probing.writes import PREFIX, make_pods_namespace, remove_namespace, request_until_answered
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.waiting import wait_until

OUTCOME_SECONDS = 60.0
POLL_SECONDS = 0.5
GROUPS = {"pods": "/api/v1", "jobs": "/apis/batch/v1"}
UNPROCESSABLE = 422


class FailingPods:
    """One drill's pods. ``node`` is any: its images are everywhere."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node
        self._namespace = f"{PREFIX}{secrets.token_hex(4)}"
        self._made = False
        self._began: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._histories = {case.name: PodHistory() for case in CASES}

    def work(self) -> None:
        """Make them, and wait for every outcome as long as that takes, but no longer than OUTCOME_SECONDS."""
        images = {name: image_of(self._client, self._node, name) for name in ("pause", "coredns")}
        self._made = True
        make_pods_namespace(self._client, self._namespace)
        for case in CASES:
            if self._make(case, images):
                self._began[case.name] = time.monotonic()
        try:
            wait_until(self._all_happened, OUTCOME_SECONDS, "every pod has its outcome", every=POLL_SECONDS)
        except DeadlinePassed:  # the figures show which has not
            return

    def clean_up(self) -> None:
        """Remove them, if any was made."""
        if self._made:
            remove_namespace(self._client, self._namespace)

    def figures(self) -> Sequence[Figure]:
        """Of each case: seconds from its pod's creation until what is documented was seen."""
        return [self._figure(case) for case in CASES]

    def _figure(self, case: Case) -> Figure:
        if case.name not in self._began:
            return Figure(case.policy, 0, None, "", "left out: the API server does not know these rules")
        seconds = self._seconds.get(case.name, float("inf"))
        return Figure(f"{case.policy}: {case.outcome} after", seconds, OUTCOME_SECONDS)

    def _make(self, case: Case, images: dict[str, str]) -> bool:
        """Whether the API server took the object whole. Raises HaplaneError when it refuses what all of them know."""
        collection, body = case.body(images)
        path = self._path(collection)
        reply = request_until_answered(self._client, "POST", path, body)
        if case.rules and reply.status == UNPROCESSABLE and REFUSED_FIELD in reply.body.decode(errors="replace"):
            return False
        if not reply.ok:
            raise HaplaneError(f"cannot create {collection}", why=f"{reply.status}: {reply.body[:300]!r}")
        if case.rules and not keeps_rules(reply.document()):
            request_until_answered(self._client, "DELETE", f"{path}/{case.name}")
            return False
        return True

    def _all_happened(self) -> bool:
        pods = self._list("pods")
        failed = {job["metadata"]["name"] for job in self._list("jobs") if _has_failed(job)}
        for case in CASES:
            mine = [pod for pod in pods if pod["metadata"].get("labels", {}).get(LABEL) == case.name]
            if case.name in self._began and mine:
                self._take(case, self._histories[case.name].state(mine[0], job_failed=case.name in failed))
        return self._seconds.keys() == self._began.keys()

    def _take(self, case: Case, now: PodState) -> None:
        if case.happened(now):
            self._seconds.setdefault(case.name, time.monotonic() - self._began[case.name])
        elif case.lasts:
            self._seconds.pop(case.name, None)

    def _list(self, collection: str) -> list[dict[str, Any]]:
        return list(request_until_answered(self._client, "GET", self._path(collection)).document()["items"])

    def _path(self, collection: str) -> str:
        return f"{GROUPS[collection]}/namespaces/{self._namespace}/{collection}"


def _has_failed(job: dict[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", ())
    return any(one["type"] == "Failed" and one["status"] == "True" for one in conditions)
