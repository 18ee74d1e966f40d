"""``haplane upgrade``: bring a cluster to the inventory's Kubernetes version."""

from __future__ import annotations

import click

from haplane.cli import run_log
from haplane.cli.output import Output
from haplane.cli.plan import NOTHING, agreement, show_plan, show_what_is_left
from haplane.cli.run import (
    dry_run_option,
    examples,
    inventory_argument,
    json_option,
    load,
    refuse_to_ask,
    reports_errors,
    without_option,
    yes_option,
)
from haplane.domain.timetable import took
from haplane.errors import ExitCode
from haplane.workflows.upgrade import Outcome, upgrade


@click.command(
    "upgrade",
    epilog=examples("haplane upgrade inventories/prod.py --dry-run", "haplane upgrade inventories/prod.py"),
)
@inventory_argument
@dry_run_option
@yes_option
@json_option
@click.option("--without-snapshot", is_flag=True, help="Upgrade even if no snapshot can be taken first.")
@without_option
@reports_errors
def command(
    output: Output,
    inventory: str,
    *,
    dry_run: bool,
    assume_yes: bool,
    without_snapshot: bool,
    without: tuple[str, ...],
) -> ExitCode:
    """Upgrade a cluster to the Kubernetes version of INVENTORY, one minor version after the other.

    Checks everything first, shows its plan and asks. Can be re-run at any time: completed steps are not repeated.
    """
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    outcome = upgrade(
        loaded,
        confirm=agreement(output, assume_yes=assume_yes, declined="Not agreed: nothing more was changed."),
        dry_run=dry_run,
        progress=output.progress,
        without_snapshot=without_snapshot,
        without=without,
        took=took(run_log.earlier_lines(f"{loaded.cluster.name}-upgrade")),
    )
    if dry_run:
        show_plan(output, outcome.plan)
    present(output, outcome, dry_run=dry_run)
    return ExitCode.DONE if dry_run else outcome.exit_code


def present(output: Output, outcome: Outcome, *, dry_run: bool) -> None:
    """The summary for people, the document for programs."""
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "hops": outcome.hops,
            "plan": outcome.plan,
            "skipped": list(outcome.skipped),
            "status": outcome.status.document() if outcome.status else None,
            "warnings": outcome.warnings,
        }
    )
    show_what_is_left(output, outcome)
    if outcome.status is None:
        return
    for problem in outcome.status.problems:
        output.warn(f"not healthy: {problem}")
    if not outcome.changed:
        output.line(NOTHING)
    elif outcome.status.healthy:
        output.line(f"{outcome.status.cluster.name} runs Kubernetes {outcome.hops[-1]}.")
