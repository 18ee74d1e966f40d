"""``haplane restore``: a cluster from a snapshot or from what members still hold; or one interrupted, completed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.domain.progress import Progress
from haplane.domain.restoration import Journal
from haplane.errors import ExitCode, HaplaneError
from haplane.executor import Executor
from haplane.observation.choose_source import CHOOSE_SOURCE
from haplane.observation.health import VERIFY_HEALTH
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import REFUSE_CHANGED_SETTINGS, REQUIRE_A_MASTER
from haplane.observation.requirements import REFUSE_UNFIT_HOSTS_WITHOUT_KEYS
from haplane.observation.restore import DECIDE_RESTORE, restoration
from haplane.observation.rotation import REFUSE_UNFINISHED_SIGNING_ROTATION
from haplane.observation.upgrade_interrupted import REFUSE_ANOTHER_VERSION_BUT_THE_NEWEST
from haplane.phases.converge.await_nodes import AWAIT_NODES
from haplane.phases.restore.delete_stale_nodes import DELETE_STALE_NODES
from haplane.phases.restore.merge_encryption_keys import MERGE_ENCRYPTION_KEYS
from haplane.phases.restore.plan_remaining_changes import PLAN_REMAINING_CHANGES
from haplane.phases.restore.rebuild_data import REBUILD_DATA
from haplane.phases.restore.record_restore import RECORD_RESTORE, REMOVE_RECORD
from haplane.phases.restore.resume_serving import RESUME_SERVING
from haplane.phases.restore.stop_serving import STOP_SERVING
from haplane.phases.restore.switch_data import SWITCH_DATA
from haplane.recovery.input import refuse_wrong_request
from haplane.recovery.request import RestoreRequest
from haplane.workflows import engine
from haplane.workflows.converge import CONVERGE, PREPARE
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Verb, looks_before
from haplane.workflows.leave_out import offer
from haplane.workflows.prepare import over_ssh, prepare_to_converge

ENTRIES = (
    OBSERVE,
    REQUIRE_A_MASTER,
    REFUSE_UNFINISHED_SIGNING_ROTATION,
    REFUSE_ANOTHER_VERSION_BUT_THE_NEWEST,
    REFUSE_CHANGED_SETTINGS,
    REFUSE_UNFIT_HOSTS_WITHOUT_KEYS,
    CHOOSE_SOURCE,
    DECIDE_RESTORE,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    RECORD_RESTORE,
    *PREPARE,
    MERGE_ENCRYPTION_KEYS,
    REBUILD_DATA,
    STOP_SERVING,
    SWITCH_DATA,
    RESUME_SERVING,
    PLAN_REMAINING_CHANGES,
    *CONVERGE,
    DELETE_STALE_NODES,
    REMOVE_RECORD,
    AWAIT_NODES,
    VERIFY_HEALTH,
)


LOOKS = looks_before(ENTRIES, CHOOSE_SOURCE)
"""What decides on reports alone."""


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``outage_seconds`` is from the first API server stopped to all started again.

    ``revision_before`` is the highest that a member reported, ``revision`` the one that the cluster went on from;
    ``previous_data`` is the directory on each member that the old data was moved to; ``disproofs`` show that it is
    not the cluster that was restored.
    """

    source: str | None = None
    revision_before: int | None = None
    revision: int | None = None
    uid: str | None = None
    outage_seconds: float | None = None
    previous_data: str | None = None
    disproofs: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """6 with a disproof as well."""
        return ExitCode.INCOMPLETE if self.disproofs else super().exit_code


def restore(
    inventory: Inventory,
    request: RestoreRequest,
    *,
    confirm: Confirm,
    dry_run: bool = False,
    progress: Progress,
    executor: Executor | None = None,
) -> Outcome:
    """Replace etcd's data on all members, then do what `up` would, with what every entry above raises.

    A restore that was interrupted is completed. ``dry_run`` opens and verifies the source as well.
    """
    refuse_wrong_request(inventory, request)
    asked = replace(prepare_to_converge(inventory), restore=request, dry_run=dry_run)
    context = Context(asked, executor or over_ssh(progress))
    command = _command(inventory, request)
    try:
        lines = engine.carry_out(Verb("restore", command, ENTRIES), context, confirm)
    except HaplaneError as error:
        offer(error, context, LOOKS, command)
        raise
    given = restoration(context)
    journal = given.journal
    if not context.result.changed:
        return Outcome(
            changed=False, plan=lines, source=journal.source, revision_before=context.decision.highest_revision
        )
    outcome = Outcome(
        changed=True,
        plan=lines,
        status=context.result.status,
        source=journal.source,
        revision_before=context.decision.highest_revision,
        revision=journal.revision + journal.bump,
        uid=context.result.status.cluster.uid if context.result.status else None,
        outage_seconds=context.result.outage_seconds,
        previous_data=journal.previous_data,
        skipped={**dict.fromkeys(request.without, "--without"), **context.observation.unreachable},
    )
    return replace(outcome, warnings=tuple(context.result.warnings), disproofs=tuple(disproofs(outcome, journal)))


def _command(inventory: Inventory, request: RestoreRequest) -> str:
    """What was asked for, as it is typed."""
    given = {"--snapshot": request.snapshot, "--file": request.file, "--identity": request.identity}
    given |= {"--pki": request.pki}
    words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    words += [name for name, on in (("--unsigned", request.unsigned), ("--accept-loss", request.accept_loss)) if on]
    return engine.as_typed("restore", inventory.path, *words, without=request.without)


def disproofs(outcome: Outcome, journal: Journal) -> list[str]:
    """What shows that the cluster is not the one that was restored, or that a client could see time go backwards."""
    found = []
    if outcome.uid != journal.uid:
        found.append(f"the cluster's UID is {outcome.uid}, the snapshot's is {journal.uid}")
    members = outcome.status.etcd.members if outcome.status else ()
    reached = max((member.revision or 0 for member in members), default=0)
    if reached < journal.revision + journal.bump:
        found.append(f"etcd is at revision {reached}, not beyond {journal.revision + journal.bump}")
    return found
