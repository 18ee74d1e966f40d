"""Pods that may take longer to end than their drain waits for them. Pure."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from haplane.domain.drain.pod import Pod

LONGEST_SECONDS = 86400
"""A drain waits no longer."""

SLACK_SECONDS = 60
"""From the end of the grace period until the kubelet has ended a pod and the drain has seen it."""


def seconds_to_end(pod: Pod, now: datetime) -> int:
    """What its grace period leaves it at most, from its eviction or, where it is terminating already, from now."""
    ends = pod.metadata.deletion_timestamp
    return pod.spec.termination_grace_period_seconds if ends is None else ceil((ends - now).total_seconds())


def why_late(pod: Pod, now: datetime, seconds: float) -> str | None:
    """What becomes of it and of a drain that waits so many ``seconds``; None for a pod that is gone by then."""
    most = seconds_to_end(pod, now)
    if most < seconds:
        return None
    enough = most + SLACK_SECONDS
    wait = f"`--timeout {enough}` waits for it" if enough <= LONGEST_SECONDS else "re-run once it has ended"
    return (
        f"may take {most} s to end (terminationGracePeriodSeconds), and the drain fails after {seconds:g} s, "
        f"with the node cordoned and the pod ending all the same; {wait}"
    )
