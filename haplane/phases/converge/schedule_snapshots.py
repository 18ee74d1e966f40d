"""Timers of etcd members: snapshots are taken by the members themselves."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.desired.snapshots import OWN_FILES
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.domain.steps.snapshots import TIMER_UNIT

SERVICE_UNIT = "haplane-snapshot.service"


def start_timers(context: Context) -> None:
    """On all members at once: each knows whose turn it is."""
    hosts = context.hosts(Kind.SCHEDULE)
    context.deploy(
        hosts,
        recipes.schedule_snapshots,
        timer=TIMER_UNIT,
        paths_of=context.paths(hosts, Part.SNAPSHOT_TIMER),
    )


def unschedule(context: Context) -> None:
    """Where the inventory wants none any more. What was taken stays."""
    context.deploy(
        context.hosts(Kind.UNSCHEDULE),
        recipes.unschedule_snapshots,
        timer=TIMER_UNIT,
        service=SERVICE_UNIT,
        root=host_paths.AGENT_ROOT,
        own_files=OWN_FILES,
    )


START_TIMERS = Phase("Schedule snapshots", (Kind.SCHEDULE,), start_timers)
UNSCHEDULE = Phase("Disable snapshot timers", (Kind.UNSCHEDULE,), unschedule)
