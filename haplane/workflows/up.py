"""``haplane up``: converge the hosts to the inventory. The tuple below is the tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.domain.progress import Progress
from haplane.errors import HaplaneError
from haplane.executor import Executor
from haplane.observation.health import VERIFY_HEALTH
from haplane.observation.membership import REFUSE_LIVING_MASTERS
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import (
    REFUSE_CHANGED_SETTINGS,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_A_MASTER,
    WAIT_FOR_LATE_MEMBERS,
    WAIT_FOR_STARTING_API_SERVERS,
)
from haplane.observation.reach import REFUSE_BLOCKED_PORTS
from haplane.observation.requirements import REFUSE_UNFIT_HOSTS
from haplane.observation.rotation import REFUSE_UNFINISHED_ROTATION
from haplane.observation.signing_key import held_signing_key
from haplane.observation.snapshots import REFUSE_UNUSABLE_SNAPSHOTS
from haplane.observation.upgrade_interrupted import DECIDE_AS_IT_RUNS, REFUSE_ANOTHER_VERSION_UNLESS_INTERRUPTED
from haplane.phases.converge.approve_serving_certificates import LIST_REFUSED_REQUESTS
from haplane.phases.converge.await_nodes import AWAIT_NODES
from haplane.phases.converge.change_members import CHANGE_MEMBERS
from haplane.phases.converge.decommission import LIST_COSTS
from haplane.phases.converge.form_etcd import FORM_ETCD
from haplane.phases.converge.join_workers import PRINT_JOIN_COMMAND
from haplane.phases.converge.start_etcd import START_ETCD
from haplane.workflows import engine
from haplane.workflows.converge import CONVERGE, PREPARE
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Verb, looks_before
from haplane.workflows.leave_out import offer
from haplane.workflows.prepare import hosts_named, over_ssh, prepare_to_converge

ENTRIES = (
    OBSERVE,
    REFUSE_UNFINISHED_RESTORE,
    REFUSE_UNFINISHED_ROTATION,
    REFUSE_ANOTHER_VERSION_UNLESS_INTERRUPTED,
    REFUSE_CHANGED_SETTINGS,
    WAIT_FOR_LATE_MEMBERS,
    WAIT_FOR_STARTING_API_SERVERS,
    REQUIRE_A_MASTER,
    REFUSE_UNFIT_HOSTS,
    REFUSE_BLOCKED_PORTS,
    REFUSE_UNUSABLE_SNAPSHOTS,
    REFUSE_LIVING_MASTERS,
    DECIDE_AS_IT_RUNS,
    LIST_COSTS,
    LIST_REFUSED_REQUESTS,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    *PREPARE,
    FORM_ETCD,
    START_ETCD,
    CHANGE_MEMBERS,
    *CONVERGE,
    PRINT_JOIN_COMMAND,
    AWAIT_NODES,
    VERIFY_HEALTH,
)


LOOKS = looks_before(ENTRIES, CONFIRM)


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``signing_key`` is the public half that the inventory does not have yet."""

    join_command: str | None = None
    signing_key: str | None = None


def up(
    inventory: Inventory,
    *,
    confirm: Confirm,
    dry_run: bool,
    progress: Progress,
    repaired: str | None = None,
    renew: bool = False,
    without: Sequence[str] = (),
    executor: Executor | None = None,
) -> Outcome:
    """Make the hosts what the inventory says, with what every entry above raises.

    ``repaired`` is a host whose etcd data are given up if they are damaged; with ``renew`` every certificate is due.
    Hosts named in ``without`` are left alone, and not believed. Raises BadInput for a name that is not in the
    inventory.
    """
    hosts_named(inventory, without)
    request = prepare_to_converge(inventory)
    request = replace(request, repaired=repaired, renew=renew, without=tuple(without), dry_run=dry_run)
    context = Context(request, executor or over_ssh(progress))
    command = _command(inventory, repaired=repaired, renew=renew, without=without)
    try:
        lines = engine.carry_out(Verb("up", command, ENTRIES), context, confirm)
    except HaplaneError as error:
        offer(error, context, LOOKS, command)
        raise
    return Outcome(
        changed=context.result.changed,
        plan=lines,
        status=context.result.status,
        skipped=dict(sorted(context.observation.unreachable.items())),
        warnings=tuple(context.result.warnings),
        join_command=context.result.join_command,
        signing_key=new_signing_key(context) if context.result.status is not None else None,
    )


def _command(inventory: Inventory, *, repaired: str | None, renew: bool, without: Sequence[str]) -> str:
    if repaired:
        return engine.as_typed("node", "repair", inventory.path, repaired, without=without)
    return engine.as_typed(*(("certs", "renew") if renew else ("up",)), inventory.path, without=without)


def new_signing_key(context: Context) -> str | None:
    """The public half that the inventory does not have yet."""
    snapshots = context.inventory.cluster.snapshots
    return held_signing_key(context) if snapshots is not None and snapshots.signing_key is None else None
