"""Snapshots of etcd's data before anything changes: each was restored once by the agent that took it."""

from __future__ import annotations

import json

from haplane.agent.manifest import Manifest
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import THE_CLUSTER, Kind
from haplane.errors import HaplaneError
from haplane.observation.upgrade import snapshots_needed, with_recent_snapshots
from haplane.procedures.timed import timed

TAKE_SECONDS = 3600
"""Gigabytes are read, restored, encrypted and sent to a bucket far away."""


def take_snapshots(context: Context) -> None:
    """By so many members that one of them may be lying about it.

    Raises HaplaneError with what the last agent reports when too few can be taken, verified or kept.
    """
    with timed(context, THE_CLUSTER, Kind.SNAPSHOT):
        _take_as_many(context, snapshots_needed(context) - len(with_recent_snapshots(context)))


def _take_as_many(context: Context, missing: int) -> None:
    failure: HaplaneError | None = None
    for name in context.plan.items(THE_CLUSTER, Kind.SNAPSHOT):
        if missing <= 0:
            return
        context.progress(name, "taking a snapshot")
        try:
            _take(context, name)
        except HaplaneError as error:
            context.progress(name, f"has taken no snapshot: {error.what}")
            failure = error
        else:
            missing -= 1
    if missing > 0:
        raise failure or HaplaneError("too few members can take a snapshot", next_step="`haplane status INVENTORY`")


def _take(context: Context, name: str) -> None:
    answer = context.executor.call_agent(context.inventory.host(name), "take", deadline_seconds=TAKE_SECONDS)
    taken = Manifest.from_bytes(json.dumps(answer).encode(), f"{name}: snapshot agent, take")
    if taken.member != name or not taken.with_quorum:
        raise HaplaneError(
            f"{name} has taken no snapshot with quorum", where=taken.id, next_step="`haplane status INVENTORY`"
        )


TAKE_SNAPSHOT = Phase("Take snapshots", (Kind.SNAPSHOT,), take_snapshots)
