"""A snapshot of etcd's data before anything changes: it was restored once by the agent that took it."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import THE_CLUSTER, Kind

TAKE_SECONDS = 3600
"""Gigabytes are read, restored, encrypted and sent to a bucket far away."""


def take_snapshot(context: Context) -> None:
    """Raises HaplaneError with what the agent reports when it cannot be taken, verified or kept."""
    [name] = context.plan.items(THE_CLUSTER, Kind.SNAPSHOT)
    context.progress(name, "taking a snapshot")
    context.executor.call_agent(context.inventory.host(name), "take", deadline_seconds=TAKE_SECONDS)


TAKE_SNAPSHOT = Phase("Take a snapshot", (Kind.SNAPSHOT,), take_snapshot)
