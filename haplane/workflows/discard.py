"""``haplane node discard``: delete old etcd data that restores and repairs have kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.domain.assessment import PreviousData
from haplane.domain.progress import Progress
from haplane.executor import Executor
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import REFUSE_ANOTHER_MACHINE
from haplane.phases.node.discard import DECIDE_DISCARD, DISCARD_DATA
from haplane.workflows import engine
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Verb
from haplane.workflows.prepare import hosts_named, over_ssh, prepare

ENTRIES = (
    OBSERVE,
    REFUSE_ANOTHER_MACHINE,
    DECIDE_DISCARD,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    DISCARD_DATA,
)


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``removed`` are the directories that were deleted."""

    removed: tuple[PreviousData, ...] = ()


def discard(
    inventory: Inventory,
    names: Sequence[str],
    *,
    confirm: Confirm,
    dry_run: bool = False,
    progress: Progress,
    executor: Executor | None = None,
) -> Outcome:
    """Delete what these hosts keep, or what all of them do.

    Raises BadInput for a name that is not in the inventory, and Refused while the data may still be needed.
    """
    hosts = hosts_named(inventory, names, or_all=True)
    request = replace(prepare(inventory), named=tuple(names), dry_run=dry_run)
    context = Context(request, executor or over_ssh(progress))
    command = engine.as_typed("node", "discard", inventory.path, *names)
    lines = engine.carry_out(Verb("node discard", command, ENTRIES), context, confirm)
    lost = context.observation.unreachable
    return Outcome(
        changed=context.result.changed,
        plan=lines,
        skipped={host.name: lost[host.name] for host in hosts if host.name in lost},
        removed=context.result.discarded if context.result.changed else (),
    )
