"""Snapshots sealed to the recipients that the inventory names now."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.context.result import Rotated
from haplane.domain.plan import Kind
from haplane.observation.rotation import deciding
from haplane.observation.snapshots import refuse_unusable_snapshots
from haplane.procedures.prepare_hosts import prepare_hosts
from haplane.procedures.rotation import seal_anew
from haplane.recovery.places import settings_of

PLAN = (
    "members: encrypt to the inventory's recipients from the next snapshot on",
    "members: seal the cluster's keys anew, to these recipients",
)


def refuse_unusable_recipients(context: Context) -> None:
    """Raises BadInput for an inventory without snapshots, and as :func:`refuse_unusable_snapshots` does."""
    settings_of(context.inventory)
    refuse_unusable_snapshots(context)


def rotate_recipients(context: Context) -> None:
    """The members' settings, then the sealed keys."""
    recipients = settings_of(context.inventory).recipients
    sealed = [report.snapshots.sealed for report in context.observation.reports.values() if report.snapshots]
    before = {recipient for one in sealed if one for recipient in one.recipients}
    if context.plan.of(Kind.FILES):
        prepare_hosts(context)
    seal_anew(context)
    context.result.rotated = Rotated(
        recipients=recipients, previous_recipients=tuple(sorted(before - set(recipients)))
    )


REFUSE_UNUSABLE_RECIPIENTS = Look("Refuse recipients whose identity is not proven", refuse_unusable_recipients)
DECIDE_RECIPIENTS = deciding("recipients", PLAN)
ROTATE_RECIPIENTS = Phase(
    "Seal to the new recipients", (), rotate_recipients, when=lambda context: context.result.changed
)
