"""``haplane reset``: stop the cluster on hosts and remove it from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.domain.plan import Kind
from haplane.domain.progress import Progress
from haplane.executor import Executor
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import REFUSE_ANOTHER_MACHINE
from haplane.phases.reset.reset_hosts import (
    DECIDE_RESET,
    REFUSE_ANOTHER_CLUSTER,
    REFUSE_NEEDED_HOSTS,
    RESET_HOSTS,
    hosts_to_reset,
)
from haplane.workflows import engine
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Verb
from haplane.workflows.prepare import hosts_named, over_ssh, prepare

ENTRIES = (
    OBSERVE,
    REFUSE_ANOTHER_MACHINE,
    REFUSE_ANOTHER_CLUSTER,
    REFUSE_NEEDED_HOSTS,
    DECIDE_RESET,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    RESET_HOSTS,
)


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``done`` are the hosts that were reset; their data and keys are in the directory ``kept_in`` on each."""

    done: tuple[str, ...] = ()
    kept_in: str | None = None


def reset(
    inventory: Inventory,
    names: Sequence[str],
    *,
    confirm: Confirm,
    dry_run: bool = False,
    progress: Progress,
    executor: Executor | None = None,
) -> Outcome:
    """Reset the named hosts, or all of them.

    Raises BadInput for a name that is not in the inventory and Refused when a part of the cluster that goes on needs
    a named host.
    """
    hosts_named(inventory, names, or_all=True)
    request = replace(prepare(inventory), named=tuple(names), dry_run=dry_run)
    context = Context(request, executor or over_ssh(progress))
    command = engine.as_typed("reset", inventory.path, *names)
    lines = engine.carry_out(Verb("reset", command, ENTRIES), context, confirm)
    done, lost = context.plan.hosts(Kind.RESET), context.observation.unreachable
    return Outcome(
        changed=context.result.changed,
        plan=lines,
        skipped={host.name: lost[host.name] for host in hosts_to_reset(context) if host.name in lost},
        done=done if context.result.changed else (),
        kept_in=context.result.kept_in,
    )
