"""``haplane node discard``: remove old etcd data that restores and repairs have kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haplane.config.model import Inventory
from haplane.deploys import recipes
from haplane.domain.progress import Progress
from haplane.domain.recovery import Cure, Kept, Recovery, keys_are_lost, summarise_recovery
from haplane.domain.restoration import ETCD_DATA
from haplane.errors import ExitCode, Refused
from haplane.phases.observe import observe
from haplane.phases.phase import Run
from haplane.pki.cluster_identity import IDENTITY_PATHS
from haplane.remote.lock import locked
from haplane.remote.session import deploy
from haplane.workflows.reset import choose
from haplane.workflows.up import prepare

_OURS = re.compile(re.escape(ETCD_DATA) + r"/aside-[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True)
class Outcome:
    """What was removed, and which hosts could not be asked."""

    removed: tuple[Kept, ...]
    skipped: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """6 when a host could not be asked."""
        return ExitCode.INCOMPLETE if self.skipped else ExitCode.DONE


def discard(
    inventory: Inventory,
    names: Sequence[str],
    *,
    confirm: Callable[[tuple[Kept, ...]], bool],
    progress: Progress,
) -> Outcome:
    """Remove what these hosts keep, or what all of them do; ``confirm`` gets what there is.

    Raises BadInput for a name that is not in the inventory, and Refused while the kept data may still be needed.
    """
    hosts = choose(inventory, names)
    run = prepare(inventory, progress)
    observe(run)
    found = discardable(recovery(run), {host.name for host in hosts})
    skipped = tuple(host.name for host in hosts if host not in run.reachable(hosts))
    if not found or not confirm(found):
        return Outcome((), skipped)
    with locked(
        inventory, run.reachable(inventory.everyone), f"haplane node discard {inventory.path}", progress
    ) as lock:
        observe(run)
        still = set(discardable(recovery(run), {host.name for host in hosts}))
        found = tuple(one for one in found if one in still)
        for host in run.reachable(hosts):
            paths = [one.path for one in found if one.host == host.name]
            deploy([lock.inventory.host(host.name)] if paths else [], recipes.discard_kept, progress, paths=paths)
    return Outcome(found, skipped)


def recovery(run: Run) -> Recovery:
    """What hosts tell of damage, of restores, and of what they keep."""
    members, masters = ([host.name for host in group] for group in (run.inventory.etcd, run.inventory.masters))
    reports = run.observation.reports
    return summarise_recovery(members, reports, keys_lost=keys_are_lost(masters, reports, IDENTITY_PATHS))


def discardable(recovery: Recovery, names: set[str]) -> tuple[Kept, ...]:
    """What is kept on these hosts and is ours to remove.

    Raises Refused unless every member serves and no restore is under way.
    """
    found = tuple(one for one in recovery.kept if one.host in names and _OURS.fullmatch(one.path))
    if found and (recovery.restore_under_way or recovery.cure != Cure.NOTHING.value):
        raise Refused(
            "what is kept may still be needed; nothing was removed",
            where=", ".join(sorted({one.host for one in found})),
            why=recovery.arithmetic if not recovery.restore_under_way else recovery.problems[0],
            next_step="bring every member back first: haplane status says how",
        )
    return found
