"""Why pods are not ready, by what an API server has of them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

BACK_OFF_SECONDS = 600.0
"""After so long a kubelet forgets that a container crashed (twice its longest back-off)."""


def is_pod_ready(pod: dict[str, Any]) -> bool:
    """Whether its condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


TOO_FEW_REPLICAS = {0: "its deployment has 0 replicas", 1: "its deployment has 1 replica"}


def why_dns_lacks(deployment: dict[str, Any], pods: list[dict[str, Any]]) -> str:
    """Why it has fewer ready pods than it should: fewer are asked for, one is held up, or none can be made."""
    replicas = deployment.get("spec", {}).get("replicas")
    if replicas in TOO_FEW_REPLICAS:
        return TOO_FEW_REPLICAS[replicas]
    refused = [
        in_words("FailedCreate", str(one.get("message")))
        for one in deployment.get("status", {}).get("conditions", [])
        if one["type"] == "ReplicaFailure" and one["status"] == "True"
    ]
    return next((in_words(*held_up(one)) for one in pods if not is_pod_ready(one)), next(iter(refused), ""))


def in_words(reason: str, message: str) -> str:
    """Both as one text."""
    return f"{reason}: {message}".strip(": ")[:300]


def held_up(pod: dict[str, Any]) -> tuple[str, str]:
    """Why a pod is not ready, and more of it: not scheduled, what a container waits for, how it last ended."""
    status = pod.get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    whys = [conditions["PodScheduled"]] if conditions.get("PodScheduled", {}).get("status") == "False" else []
    for one in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if crash := crashes(one):
            whys.append(crash)
        elif waiting := one.get("state", {}).get("waiting"):
            whys.append(waiting)
    if conditions.get("Ready", {}).get("status") == "False":
        whys.append(conditions["Ready"])
    whys.append({"reason": status.get("reason") or status.get("phase")})
    return str(whys[0].get("reason") or "")[:300], str(whys[0].get("message") or "")[:300]


def crashes(container: dict[str, Any]) -> dict[str, str] | None:
    """How a container that is not ready last ended, while the kubelet still counts its restarts."""
    state = container.get("state", {})
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
    if container.get("ready") or not ended:
        return None
    if "waiting" in state and state["waiting"].get("reason") != "CrashLoopBackOff":
        return None
    if "running" in state and seconds_since(state["running"]["startedAt"]) > BACK_OFF_SECONDS:
        return None
    restarts = container.get("restartCount", 0)
    times = f"{restarts} restart{'' if restarts == 1 else 's'}"
    return {
        "reason": "crashes repeatedly" if restarts > 1 else "crashed",
        "message": f"{container.get('name')} last ended {ended.get('reason')}, exit {ended.get('exitCode')}, {times}",
    }


def seconds_since(written: str) -> float:
    """How long ago a time of the API's was, by this host's clock."""
    return time.time() - datetime.fromisoformat(written.replace("Z", "+00:00")).timestamp()
