"""API servers stopped: the outage begins."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import restore as recipes
from haplane.observation.restore import masters_due, restoration, up_to
from haplane.procedures.restore_journal import write_journal


def stop_serving(context: Context) -> None:
    """Every API server, so that nobody reads or writes while the data is another's."""
    if any(report.apiserver.ready for report in context.observation.reports.values()):
        context.result.outage_began = context.executor.monotonic()
    if restoration(context).journal.stage == "preparing":
        write_journal(context, restoration(context).journal.replacing())
    context.deploy(masters_due(context), recipes.stop_serving)


STOP_SERVING = Phase("Stop API servers", (), stop_serving, when=up_to("replacing"))
