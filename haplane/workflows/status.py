"""``haplane status``: observe and summarise. It changes nothing and needs no lock."""

from __future__ import annotations

import threading
from dataclasses import replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.request import Request
from haplane.domain.plan import Kind
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.errors import HaplaneError, Several, Unreachable
from haplane.executor import Executor
from haplane.observation.health import judge
from haplane.observation.observe import OBSERVE, cluster_exists, observe
from haplane.observation.preconditions import (
    REFUSE_CHANGED_SETTINGS,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_A_MASTER,
)
from haplane.observation.requirements import REFUSE_UNFIT_HOSTS
from haplane.observation.rotation import REFUSE_UNFINISHED_ROTATION
from haplane.observation.upgrade_interrupted import (
    DECIDE_AS_IT_RUNS,
    REFUSE_ANOTHER_VERSION_UNLESS_INTERRUPTED,
    fit_advice,
)
from haplane.recovery.places import count_in_bucket
from haplane.workflows.engine import as_typed
from haplane.workflows.leave_out import offer
from haplane.workflows.prepare import over_ssh, prepare_to_converge

BUCKET_SECONDS = 3.0
"""How long the status waits for the bucket besides the hosts."""

LOOKS = (
    REFUSE_UNFINISHED_RESTORE,
    REFUSE_UNFINISHED_ROTATION,
    REFUSE_ANOTHER_VERSION_UNLESS_INTERRUPTED,
    REFUSE_CHANGED_SETTINGS,
    REQUIRE_A_MASTER,
    REFUSE_UNFIT_HOSTS,
    DECIDE_AS_IT_RUNS,
)
"""Of ``up``: those that wait for nothing and connect to nobody."""

MOST_CHANGES = 5


def status(inventory: Inventory, progress: Progress, *, executor: Executor | None = None) -> Status:
    """What is known now. With every host down it still names them, and the endpoint that does not respond."""
    context = Context(_request(inventory), executor or over_ssh(progress))
    counted: list[int | None] = []
    counting = threading.Thread(target=lambda: counted.append(count_in_bucket(inventory)), daemon=True)
    counting.start()
    try:
        observe(context)
    except Unreachable:
        progress("status", "no host can be reached")
    view = context.view
    due = what_up_would_do(context)
    context.see(view)  # with the hosts that those looks leave out
    found = judge(context)
    notes = (*found.notes, *due)
    counting.join(BUCKET_SECONDS)
    return replace(found, notes=notes, snapshots=replace(found.snapshots, remote=counted[0] if counted else None))


def _request(inventory: Inventory) -> Request:
    """With the bundle, where it is there and fits: without one only what hosts say of themselves is known."""
    try:
        return prepare_to_converge(inventory)
    except HaplaneError:
        return Request(inventory)


def what_up_would_do(context: Context) -> tuple[str, ...]:
    """The first lines of its plan, or why it would refuse and how to go on; none while there is no cluster yet."""
    if context.request.manifest is None or not cluster_exists(context):
        return ()
    try:
        for look in LOOKS:
            look.carry_out(context)
    except Unreachable:
        return ()
    except HaplaneError as error:
        return _refusals(error, context)
    return _noted(tuple(context.plan.describe(*Kind)), context.inventory)


def _refusals(error: HaplaneError, context: Context) -> tuple[str, ...]:
    command = as_typed("up", context.inventory.path)
    fit_advice(context, error)
    offer(error, context, (OBSERVE, *LOOKS), command)
    error.name_inventory(context.inventory.path)
    causes = [*error.problems, error] if isinstance(error, Several) else [error]
    return tuple(f"`{command}` would refuse: {_on_one_line(cause)}" for cause in causes[-MOST_CHANGES:])


def _on_one_line(error: HaplaneError) -> str:
    where = f" ({error.where})" if error.where else ""
    next_step = f"; next: {error.next_step}" if error.next_step else ""
    return f"{error.brief}{where}{next_step}".replace("; nothing was changed", "")


def _noted(lines: tuple[str, ...], inventory: Inventory) -> tuple[str, ...]:
    """The first of them: a file that somebody edited, or a setting that is not carried out yet."""
    more = len(lines) - MOST_CHANGES
    shown = tuple(f"`haplane up {inventory.path}` would do: {line}" for line in lines[:MOST_CHANGES])
    return (*shown, f"and {more} more") if more > 0 else shown
