"""Whether a restore is what this cluster needs, and what forbids it before any data is looked at."""

from __future__ import annotations

from haplane.desired.certificates import expired_paths
from haplane.domain import host_paths
from haplane.domain.assessment import Assessment, RecoveryAction, assess, members_of, restore_under_way
from haplane.domain.members import members_besides
from haplane.domain.problem import in_code
from haplane.domain.restoration import Journal
from haplane.errors import HaplaneError, Refused, UnfitHosts, Unreachable
from haplane.recovery.context import RestoreContext, names

FREE_BYTES = 64 << 20
"""Of each etcd disk that stay free beside the old and the new data."""


def assess_cluster(context: RestoreContext) -> Assessment:
    """What brings back what is left of the cluster; hosts that are left out count as lost."""
    inventory, reports = context.inventory, context.observation.reports
    leaving = names(inventory.leaving)
    members = members_besides(names(inventory.etcd), leaving, reports)
    expired = [
        name
        for name, report in reports.items()
        if any(path.startswith(f"{host_paths.ETCD_PKI}/") for path in expired_paths(report, context.now))
    ]
    return assess(members_of(members, reports, leaving, expired), keys_lost=context.keys_lost)


def interrupted_restore(context: RestoreContext) -> Journal | None:
    """The restore that a majority of the hosts has begun, if it has to be completed."""
    inventory = context.inventory
    others = names(inventory.leaving + inventory.masters)
    return restore_under_way(names(inventory.etcd), others, context.observation.reports)


def known_revisions(context: RestoreContext) -> list[int]:
    """The revisions of the members whose etcd runs."""
    members = members_of(names(context.members), context.observation.reports)
    return [member.revision for member in members if member.revision is not None]


def refuse_more_than_needed(context: RestoreContext, assessment: Assessment) -> None:
    """Raises Refused while the cluster comes back without a restore, unless --accept-loss was given."""
    request = context.request
    if not assessment.is_less_than_a_restore or request.accept_loss:
        return
    if assessment.action is RecoveryAction.REACH and set(assessment.members) <= set(request.without):
        return
    highest = max(known_revisions(context), default=None)
    raise Refused(
        "the cluster can be recovered without losing data; nothing was changed",
        where=assessment.reason,
        why="a restore discards every write after its snapshot"
        + (f"; the members are at revision {highest}" if highest else ""),
        next_step=f"{assessment.action.value} ({in_code(assessment.command(context.inventory.path))}); "
        "to go back in time on purpose: name the snapshot or file and add --accept-loss",
    )


def refuse_missing_hosts(context: RestoreContext) -> None:
    """Raises Unreachable for hosts that cannot be reached and were not left out."""
    unreachable = context.observation.unreachable
    needed = {*names(context.inventory.masters + context.members)} - set(context.request.without)
    if missing := sorted(needed & set(unreachable)):
        raise Unreachable(
            f"{', '.join(missing)} cannot be reached; nothing was changed",
            why="; ".join(f"{name}: {unreachable[name]}" for name in missing),
            next_step="switch them on, or leave them out: " + " ".join(f"--without {name}" for name in missing),
        )


def refuse_left_out_that_serve(context: RestoreContext) -> None:
    """Raises Refused for a left-out host whose etcd runs: two clusters would go on under one CA."""
    reports = context.observation.reports
    running = [name for name in context.request.without if name in reports and reports[name].etcd.status is not None]
    if running:
        raise Refused(
            f"{', '.join(running)}: left out, but its etcd runs; nothing was changed",
            why="its old data would be served beside the restored cluster, under the same CA",
            next_step="switch it off, or restore without --without for it",
        )


def refuse_full_disks(context: RestoreContext, database_bytes: int) -> None:
    """Raises UnfitHosts for members whose disk has no room for the new data beside the old."""
    needed = 2 * database_bytes + FREE_BYTES
    members = [host for host in context.reachable(context.inventory.etcd) if host.name not in context.request.without]
    free = {host.name: context.report(host).leftovers.etcd_free_bytes for host in members}
    if full := {name: size for name, size in free.items() if size < needed}:
        raise UnfitHosts(
            "the etcd disks have no room for the new data beside the old; nothing was changed",
            [
                HaplaneError(
                    f"{name} has {size >> 20} MiB free, {needed >> 20} MiB are needed",
                    where=f"{name}: {host_paths.ETCD_DATA}",
                    next_step=f"make room there; earlier restores have left data in {host_paths.ETCD_DATA}/aside-*",
                )
                for name, size in full.items()
            ],
        )
