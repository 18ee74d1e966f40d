"""``haplane drill``: decide what to break, confirm, and measure what clients notice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.drills.credentials import administrator
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.report import Report
from haplane.drills.run import healthy_status, planned, run
from haplane.errors import HaplaneError, Refused
from haplane.machines.drivers import driver_for
from haplane.remote.lock import locked
from haplane.streams import last_line
from haplane.workflows.status import status

Confirm = Callable[[str], bool]
"""Given what the drill will do to which host, whether to go ahead."""


@dataclass(frozen=True)
class Skipped:
    """A drill that cannot be run on this cluster, and why."""

    drill: str
    reason: Refused


def context_of(inventory: Inventory, progress: Progress, *, forced: bool) -> DrillContext:
    """All that drills on this inventory need. Raises Unreachable when no master is reachable."""
    return DrillContext(
        inventory,
        driver_for(inventory, progress),
        lambda: status(inventory, silent),
        administrator(inventory),
        progress,
        partial(_verb, progress),
        forced,
    )


def carry_out(
    drill: Drill, context: DrillContext, host: str | None, *, in_cluster: bool, confirm: Confirm
) -> Report | None:
    """Run a drill on ``host``, or on one that it chooses; None when ``confirm`` does not agree to its fault.

    No other run may change the cluster meanwhile: the lock is held on every host but those that fail, or by the verb
    that the drill runs. Raises Refused, Locked, and what :func:`haplane.drills.run.run` raises.
    """
    fault = planned(drill, context, healthy_status(drill, context), host)
    if not confirm(fault.announcement):
        return None
    with _locked(drill, context, fault):
        return run(drill, context, fault, in_cluster=in_cluster)


def series(
    drills: Sequence[Drill], context: DrillContext, *, repeat: int, in_cluster: bool
) -> Iterator[Report | Skipped]:
    """Run each of them ``repeat`` times, one after the other; those that this cluster cannot have are skipped.

    Raises Refused when a drill has left the cluster unhealthy, and what :func:`carry_out` raises.
    """
    for drill in drills:
        for _ in range(repeat):
            found = healthy_status(drill, context)
            try:
                fault = planned(drill, context, found, None)
            except Refused as reason:
                yield Skipped(drill.name, reason)
                break
            with _locked(drill, context, fault):
                yield run(drill, context, fault, in_cluster=in_cluster)


def _locked(drill: Drill, context: DrillContext, fault: Fault) -> AbstractContextManager[object]:
    inventory = context.inventory
    others = [host for host in inventory.hosts if host.name not in fault.off]
    if fault.runs_verbs or not others:
        return nullcontext()
    return locked(inventory, others, f"haplane drill {drill.name} {inventory.path}", context.progress)


def _verb(progress: Progress, *words: str, codes: Sequence[int] = (0,)) -> str:
    command = [sys.executable, "-m", "haplane", *words]
    shown = " ".join(("haplane", *words))
    progress("drill", shown)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stderr or ():
            said.append(line)
            progress("drill", last_line(line))
        output = process.stdout.read() if process.stdout else ""
    if process.returncode not in codes:
        raise HaplaneError(f"`{shown}` ended with {process.returncode}", why=last_line("".join(said)))
    return output
