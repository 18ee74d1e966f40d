"""Old etcd data that restores and repairs have kept, deleted once nobody can need it."""

from __future__ import annotations

import re
from dataclasses import replace

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.deploys import etcd_recipes
from haplane.domain import host_paths
from haplane.domain.assessment import PreviousData, Recovery, RecoveryAction, keys_are_lost, summarise_recovery
from haplane.domain.plan import Kind, Plan, Step
from haplane.errors import Refused
from haplane.pki.cluster_identity import IDENTITY_PATHS

_OURS = re.compile(re.escape(host_paths.ETCD_DATA) + r"/aside-[0-9]{8}T[0-9]{6}Z")


def decide_discard(context: Context) -> None:
    """One step for each directory. Raises Refused while the data may still be needed."""
    named = set(context.request.named) or {host.name for host in context.inventory.everyone}
    context.result.discarded = discardable(recovery(context), named)
    plan = Plan(
        tuple(
            Step(Kind.DISCARD, one.host, f"{one.path}, {one.size / (1 << 20):.0f} MiB", (one.path,))
            for one in context.result.discarded
        )
    )
    context.adopt(replace(context.decision, plan=plan))


def discard_data(context: Context) -> None:
    """Each host its own directories."""
    for host in context.hosts(Kind.DISCARD):
        context.deploy([host], etcd_recipes.discard_kept, paths=context.plan.items(host.name, Kind.DISCARD))


def recovery(context: Context) -> Recovery:
    """What hosts report of damage, of restores, and of what they keep."""
    members, masters = (
        [host.name for host in group] for group in (context.inventory.etcd, context.inventory.masters)
    )
    reports = context.observation.reports
    leaving = [host.name for host in context.inventory.leaving]
    lost = keys_are_lost(masters, reports, IDENTITY_PATHS)
    path = context.inventory.path
    return summarise_recovery(members, reports, inventory=path, leaving=leaving, others=masters, keys_lost=lost)


def discardable(recovery: Recovery, names: set[str]) -> tuple[PreviousData, ...]:
    """What is kept on these hosts and is ours to remove.

    Raises Refused unless every member serves and no restore is under way.
    """
    found = tuple(one for one in recovery.previous_data if one.host in names and _OURS.fullmatch(one.path))
    if found and (recovery.restore_under_way or recovery.action is not RecoveryAction.NOTHING):
        raise Refused(
            "the old data may still be needed; nothing was deleted",
            where=", ".join(sorted({one.host for one in found})),
            why=recovery.reason if not recovery.restore_under_way else str(recovery.problems[0]),
            next_step="bring every member back first: `haplane status INVENTORY` shows how",
        )
    return found


DECIDE_DISCARD = Look("Decide which old data is deleted", decide_discard)
DISCARD_DATA = Phase("Delete old etcd data", (Kind.DISCARD,), discard_data)
