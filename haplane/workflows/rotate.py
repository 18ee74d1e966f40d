"""``haplane keys rotate``: new signing keys, a new key for Secrets at rest, or snapshots to new recipients."""

from __future__ import annotations

from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.result import Rotated
from haplane.domain.progress import Progress
from haplane.executor import Executor
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import REFUSE_UNFINISHED_RESTORE
from haplane.observation.rotation import REQUIRE_EVERYBODY
from haplane.phases.rotate.rotate_encryption import DECIDE_ENCRYPTION, ROTATE_ENCRYPTION
from haplane.phases.rotate.rotate_recipients import DECIDE_RECIPIENTS, REFUSE_UNUSABLE_RECIPIENTS, ROTATE_RECIPIENTS
from haplane.phases.rotate.rotate_signing import DECIDE_SIGNING, ROTATE_SIGNING
from haplane.workflows import engine
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Entry, Verb
from haplane.workflows.prepare import over_ssh, prepare_to_converge

SIGNING = (
    OBSERVE,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_EVERYBODY,
    DECIDE_SIGNING,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    ROTATE_SIGNING,
)
ENCRYPTION = (
    OBSERVE,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_EVERYBODY,
    DECIDE_ENCRYPTION,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    ROTATE_ENCRYPTION,
)
RECIPIENTS = (
    OBSERVE,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_EVERYBODY,
    REFUSE_UNUSABLE_RECIPIENTS,
    DECIDE_RECIPIENTS,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    ROTATE_RECIPIENTS,
)
ROTATIONS: dict[str, tuple[Entry, ...]] = {"signing": SIGNING, "encryption": ENCRYPTION, "recipients": RECIPIENTS}


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``rotated`` is None where nothing was changed."""

    kind: str
    rotated: Rotated | None = None


def rotate(
    inventory: Inventory,
    kind: str,
    *,
    confirm: Confirm,
    dry_run: bool,
    progress: Progress,
    executor: Executor | None = None,
) -> Outcome:
    """``kind`` is one of ROTATIONS. One that was interrupted is completed.

    Raises Refused while `up` has something to do, or another rotation is under way; Unreachable when a master or
    member does not answer.
    """
    request = replace(prepare_to_converge(inventory), dry_run=dry_run)
    context = Context(request, executor or over_ssh(progress))
    verb = Verb("keys rotate", engine.as_typed("keys", "rotate", inventory.path, kind), ROTATIONS[kind])
    lines = engine.carry_out(verb, context, confirm)
    return Outcome(
        changed=context.result.changed,
        plan=lines,
        warnings=tuple(context.result.warnings),
        kind=kind,
        rotated=context.result.rotated,
    )
