"""Whether a rotation of keys may begin, is under way, or keeps another verb from its work."""

from __future__ import annotations

from dataclasses import replace

from haplane.config.model import Host, Inventory
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain import host_paths
from haplane.domain.key_rotation import unfinished_rotations
from haplane.domain.plan import Kind, Plan, Step
from haplane.errors import Refused, Unreachable
from haplane.observation.decide import decide_steps


def rotation_under_way(context: Context) -> str | None:
    """What is being rotated, as most masters' files show: new keys lie on all of them before any is used."""
    files = {host.name: context.report(host).files for host in context.reachable(context.inventory.masters)}
    unfinished = unfinished_rotations(host_paths.ROTATION_FILES, files)
    return next((kind for kind, holders in unfinished.items() if 2 * len(holders) > len(files)), None)


def refuse_unfinished_rotation(context: Context) -> None:
    """Raises Refused while masters may hold different keys: only the rotation may go on."""
    if kind := rotation_under_way(context):
        raise Refused(
            f"a rotation of the {kind} keys is under way; nothing was changed",
            where=host_paths.ROTATION,
            why="it was interrupted, and masters may hold different keys until it is completed",
            next_step=f"complete it: `haplane keys rotate {context.inventory.path} {kind}`",
        )


def refuse_unfinished_signing_rotation(context: Context) -> None:
    """The same for a restore, which only the signing keys would confuse: it merges the keys of Secrets at rest."""
    if rotation_under_way(context) == "signing":
        refuse_unfinished_rotation(context)


def deciding(kind: str, lines: tuple[str, ...]) -> Look:
    """The look that decides on a rotation of this kind, described by these lines."""

    def decide_rotation(context: Context) -> None:
        under_way = rotation_under_way(context)
        if under_way not in (None, kind):
            refuse_unfinished_rotation(context)
        if under_way is not None:
            complete = f"complete the rotation of the {kind} keys that was interrupted"
            context.adopt(replace(context.decision, plan=Plan(), headline=(complete, *lines)))
            return
        _refuse_unconverged(context, kind)
        context.adopt(replace(context.decision, headline=lines))

    return Look(f"Decide how to rotate {kind}", decide_rotation)


def _refuse_unconverged(context: Context, kind: str) -> None:
    """Raises Refused when masters or members are not as the inventory says: new keys are no time to find that out.

    The plan is what a change of recipients has to write.
    """
    decide_steps(context)
    names = {host.name for host in keepers(context.inventory)}
    steps = [step for step in context.plan.steps if step.host in names]
    plan = Plan(tuple(step for step in steps if kind == "recipients" and _is_of_recipients(step)))
    context.adopt(replace(context.decision, plan=plan))
    if waiting := [step for step in steps if step not in context.plan.steps]:
        raise Refused(
            "the hosts do not match the inventory; nothing was changed",
            where=", ".join(sorted({step.host for step in waiting})),
            why="; ".join(dict.fromkeys(f"{step.kind.value}: {step.why}" for step in waiting)),
            next_step=f"run `haplane up {context.inventory.path}` first",
        )


def _is_of_recipients(step: Step) -> bool:
    return step.kind is Kind.SEAL or (
        step.kind is Kind.FILES and set(step.items) == {host_paths.SNAPSHOT_SETTINGS_JSON}
    )


def require_everybody(context: Context) -> None:
    """Raises Unreachable unless every master and member answers: one with old keys cannot read what others write."""
    hosts = keepers(context.inventory)
    if lost := [host.name for host in hosts if host.name in context.observation.unreachable]:
        raise Unreachable(
            f"{', '.join(lost)} cannot be reached; nothing was changed",
            why="; ".join(f"{name}: {context.observation.unreachable[name]}" for name in lost),
            next_step="start them; remove a host that is lost for good from the inventory first",
        )


def keepers(inventory: Inventory) -> tuple[Host, ...]:
    """Masters and etcd members."""
    return inventory.masters + tuple(host for host in inventory.etcd if host not in inventory.masters)


REFUSE_UNFINISHED_ROTATION = Look("Refuse while a rotation of keys is unfinished", refuse_unfinished_rotation)
REFUSE_UNFINISHED_SIGNING_ROTATION = Look(
    "Refuse while a rotation of signing keys is unfinished", refuse_unfinished_signing_rotation
)
REQUIRE_EVERYBODY = Look("Refuse unless every master and etcd member is reachable", require_everybody)
