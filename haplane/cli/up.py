"""``haplane up``."""

from __future__ import annotations

import click

from haplane.cli.output import Output
from haplane.cli.run import agree, inventory_argument, json_option, refuse_to_ask, reports_errors, yes_option
from haplane.config.load import load_inventory
from haplane.domain.status import Status
from haplane.errors import ExitCode
from haplane.workflows.up import Outcome, up

NOTHING = "Nothing to change: every host that answers is as the inventory says."
NO_SNAPSHOTS = (
    "warning: no snapshots are taken: a cluster that loses its majority of disks is lost. "
    'Make an identity (`haplane keys new FILE`) and put its recipient into cluster["snapshots"].'
)


@click.command("up")
@inventory_argument
@click.option("--dry-run", is_flag=True, help="Show what would be done and touch nothing.")
@yes_option
@json_option
@reports_errors
def command(output: Output, inventory: str, *, dry_run: bool, assume_yes: bool) -> ExitCode:
    """Converge the hosts to INVENTORY: a new cluster, a repaired one, or nothing at all."""
    loaded = load_inventory(inventory)
    if loaded.cluster.snapshots is None:
        output.warn(NO_SNAPSHOTS)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)

    def confirm(lines: tuple[str, ...]) -> bool:
        show_plan(output, lines)
        return assume_yes or agree("Go ahead?")

    outcome = up(loaded, confirm=confirm, dry_run=dry_run, progress=output.progress)
    if dry_run:
        show_plan(output, outcome.plan)
    present(output, outcome, inventory, dry_run=dry_run, in_lab=loaded.cluster.lab is not None)
    return ExitCode.DONE if dry_run else outcome.exit_code


def show_plan(output: Output, lines: tuple[str, ...]) -> None:
    """What will be done, a line each."""
    output.line("What has to be done:" if lines else NOTHING)
    for line in lines:
        output.line(f"  {line}")


def present(output: Output, outcome: Outcome, inventory: str, *, dry_run: bool, in_lab: bool) -> None:
    """The short summary, or the document."""
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "plan": outcome.plan,
            "skipped": outcome.skipped,
            "status": outcome.status.document() if outcome.status else None,
            "join_command": outcome.join_command,
            "signing_key": outcome.signing_key,
            "complaints": outcome.complaints,
        }
    )
    for name in outcome.skipped:
        output.warn(f"skipped: {name} cannot be reached")
    for complaint in outcome.complaints:
        output.warn(f"does not work: {complaint}")
    if outcome.signing_key:
        output.line(
            f'Put "signing_key": "{outcome.signing_key}" into cluster["snapshots"]: forged ones are then found.'
        )
    if not outcome.plan and not dry_run:
        output.line(NOTHING)
    if outcome.status is None:
        return
    for problem in outcome.status.problems:
        output.warn(f"not healthy: {problem}")
    snapshots = outcome.status.snapshots
    if snapshots.pipeline_is_slow:
        output.warn(
            f"warning: the last snapshot took {snapshots.pipeline_seconds:.0f} s, over half the interval of "
            f"{snapshots.interval_seconds} s: make interval_seconds larger, or the database smaller"
        )
    if outcome.changed and outcome.status.healthy:
        summarise(output, outcome, outcome.status, inventory, in_lab=in_lab)


def summarise(output: Output, outcome: Outcome, status: Status, inventory: str, *, in_lab: bool) -> None:
    """Where the credentials are, how further workers join, what to try next."""
    quorum = status.etcd.quorum
    masters, members = _count(len(status.masters), "master"), _count(quorum.voters, "etcd member")
    output.line()
    output.line(
        f"{status.cluster.name} is up at https://{status.cluster.endpoint}: "
        f"{masters}, {members}, {quorum.can_lose} may fail."
    )
    output.line("  kubeconfig      /etc/kubernetes/admin.conf on every master")
    if outcome.join_command:
        output.line(f"  join a worker   {outcome.join_command}   (valid for 24 hours)")
    output.line(f"  look at it      haplane status {inventory}")
    if in_lab:
        output.line(f"  prove it        haplane drill kill-master {inventory}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
