"""What to restore: chosen, opened and verified once; the second look only makes sure that no other restore ran."""

from __future__ import annotations

from dataclasses import replace

from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain.restoration import Journal
from haplane.errors import Refused
from haplane.observation.preconditions import restore_under_way
from haplane.recovery.choice import choose_source
from haplane.recovery.context import RestoreContext
from haplane.recovery.scratch.tools import etcd_tools


def choose_once(context: Context) -> None:
    """Raises Refused when a restore is not needed, when the source is not usable, or when another restore ran."""
    under_way = _reached(restore_under_way(context))
    if context.decision.restoration is None:
        tools = context.resources.enter_context(etcd_tools(context.request.bundle, context.manifest))
        known = RestoreContext(
            context.request.restore, context.inventory, context.observation, context.now(), tools, context.executor
        )
        choice = choose_source(known)
        context.adopt(
            replace(
                context.decision,
                restoration=choice.restoration,
                identity=choice.identity or context.decision.identity,
                headline=choice.lines,
                restore_under_way=under_way,
                highest_revision=_highest_revision(context),
            )
        )
    elif under_way != context.decision.restore_under_way:
        raise Refused(
            "another restore began or ended after the plan was shown; nothing was changed by this run",
            next_step="run the same command again and check the new plan",
        )


def _reached(journal: Journal | None) -> str | None:
    return f"{journal.timestamp} {journal.stage}" if journal else None


def _highest_revision(context: Context) -> int | None:
    statuses = [report.etcd.status for report in context.observation.reports.values()]
    return max((status.header.revision for status in statuses if status is not None), default=None)


CHOOSE_SOURCE = Look("Choose, open and verify what to restore", choose_once)
