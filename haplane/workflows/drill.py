"""``haplane drill``: decide what to break, confirm, and measure what clients notice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from haplane.config.model import Inventory
from haplane.config.problem import ABSENT, unknown
from haplane.domain.progress import Progress, silent
from haplane.drills.catalog import DRILLS
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.probing.client import Client
from haplane.drills.probing.credentials import administrator
from haplane.drills.probing.observing import watch
from haplane.drills.probing.probers import endpoint_prober
from haplane.drills.reports.report import Report
from haplane.drills.run import VERB_SECONDS, healthy_status, planned, run
from haplane.errors import DeadlinePassed, HaplaneError, Problems, Refused
from haplane.executor import Executor
from haplane.machines.drivers import driver_for
from haplane.streams import ANSWER_BYTES, last_line, stream
from haplane.workflows.prepare import over_ssh
from haplane.workflows.status import status

Confirm = Callable[[str], bool]
"""Given what the drill will do to which host, whether to go ahead."""


@dataclass(frozen=True)
class Skipped:
    """A drill that cannot be run on this cluster, and why."""

    drill: str
    reason: Refused


def context_of(
    inventory: Inventory, progress: Progress, *, forced: bool, executor: Executor | None = None
) -> DrillContext:
    """All that drills on this inventory need.

    Raises Problems for limits of drills that do not exist, Unreachable when no master is reachable.
    """
    if wrong := sorted(inventory.cluster.drills.limits.keys() - DRILLS.keys()):
        places = [(f'cluster["drills"]["limits"]["{name}"]', name) for name in wrong]
        problems = [unknown(place, name, ABSENT, DRILLS, kind="drill") for place, name in places]
        raise Problems("limits of drills that do not exist", [one.error(inventory.path) for one in problems])
    reached = executor or over_ssh(progress)
    target = administrator(inventory, reached)
    return DrillContext(
        inventory=inventory,
        executor=reached,
        machines=driver_for(inventory, reached),
        look=lambda: status(inventory, silent, executor=executor),
        client=Client(target),
        probe=partial(endpoint_prober, target),
        watch=partial(watch, inventory, target),
        haplane=partial(_verb, progress),
        forced=forced,
    )


def carry_out(
    drill: Drill, context: DrillContext, host: str | None, *, in_cluster: bool, confirm: Confirm
) -> Report | None:
    """Run a drill on ``host``, or on one that it chooses; None when ``confirm`` does not agree to its fault.

    No other run may change the cluster meanwhile: the lock is held on every host but those that fail. Where the drill
    runs a verb, which takes the lock itself, it is held until the fault begins. Under it the fault is decided again;
    if it is another one by then, that is asked about as well.

    Raises Refused, Locked, and what :func:`haplane.drills.run.run` raises.
    """
    fault = planned(drill, context, healthy_status(drill, context), host)
    return _break(drill, context, fault, host, in_cluster=in_cluster, confirm=confirm)


def _break(
    drill: Drill, context: DrillContext, fault: Fault, host: str | None, *, in_cluster: bool, confirm: Confirm
) -> Report | None:
    """The fault that was planned last, or what it has become once the lock is held."""
    while confirm(fault.warning):
        with _locked(drill, context, fault):
            asked, fault = fault, planned(drill, context, healthy_status(drill, context), host)
            if (agreed := fault.announcement == asked.announcement) and not fault.runs_verbs:
                return run(drill, context, fault, in_cluster=in_cluster)
        if agreed:
            return run(drill, context, fault, in_cluster=in_cluster)
    return None


def series(
    drills: Sequence[Drill], context: DrillContext, *, repeat: int, in_cluster: bool
) -> Iterator[Report | Skipped]:
    """Run each of them ``repeat`` times, one after the other, where it may on another host with each run.

    Those that this cluster cannot have are skipped.

    Raises Refused when a drill has left the cluster unhealthy, and what :func:`carry_out` raises.
    """
    for drill in drills:
        for turn in range(repeat):
            context = replace(context, turn=turn)
            found = healthy_status(drill, context)
            try:
                fault = planned(drill, context, found, None)
            except Refused as reason:
                yield Skipped(drill.name, reason)
                break
            if report := _break(drill, context, fault, None, in_cluster=in_cluster, confirm=_agreed):
                yield report


def _agreed(_: str) -> bool:
    """To the whole series."""
    return True


def _locked(drill: Drill, context: DrillContext, fault: Fault) -> AbstractContextManager[object]:
    inventory = context.inventory
    off = () if fault.runs_verbs else fault.off
    others = [host for host in inventory.hosts if host.name not in off]
    if not others:
        return nullcontext()
    return context.executor.lock(inventory, others, f"haplane drill {drill.name} {inventory.path}")


def _verb(progress: Progress, *words: str, codes: Sequence[int] = (0,)) -> str:
    command = [sys.executable, "-m", "haplane", *words]
    shown = " ".join(("haplane", *words))
    progress("drill", shown)
    output = bytearray()

    def heed(words: bytes) -> None:
        if line := last_line(words):
            progress("drill", line)

    try:
        done = stream(command, output.extend, deadline_seconds=VERB_SECONDS, most=ANSWER_BYTES, heed=heed)
    except TimeoutError:
        raise DeadlinePassed(f"`{shown}` did not end within {VERB_SECONDS:.0f} s", next_step="run it again") from None
    if done.code not in codes:
        raise HaplaneError(f"`{shown}` ended with {done.code}", why=done.cut or last_line(done.stderr))
    return output.decode(errors="replace")
