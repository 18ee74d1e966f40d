"""``haplane up``: converge hosts to the inventory, then show how to use the cluster."""

from __future__ import annotations

import click

from haplane.cli.output import Output
from haplane.cli.plan import NOTHING, agreement, show_plan, show_what_is_left
from haplane.cli.run import by_a_plan, examples, inventory_argument, load, refuse_to_ask, without_option
from haplane.config.in_clear import sent_in_clear
from haplane.config.model import Inventory
from haplane.domain.status import Status
from haplane.errors import ExitCode
from haplane.workflows.up import Outcome, up

NO_SNAPSHOTS = (
    "warning: snapshots are not configured: a cluster that loses the disks of its majority is lost. "
    'Create an identity (`haplane keys new FILE`) and add its recipient to cluster["snapshots"].'
)


@click.command("up", epilog=examples("haplane up inventories/prod.py --dry-run", "haplane up inventories/prod.py"))
@inventory_argument
@without_option
@by_a_plan
def command(output: Output, inventory: str, *, without: tuple[str, ...], dry_run: bool, assume_yes: bool) -> ExitCode:
    """Create, repair or change a cluster so that its hosts match INVENTORY.

    Shows its plan and asks before it changes anything. Can be re-run at any time: completed steps are not repeated.
    """
    loaded = load(output, inventory)
    if loaded.cluster.snapshots is None:
        output.warn(NO_SNAPSHOTS)
    for sentence in sent_in_clear(loaded.cluster.snapshots):
        output.warn(f"warning: {sentence}.")
    return converge(output, loaded, without=without, dry_run=dry_run, assume_yes=assume_yes)


def converge(
    output: Output,
    inventory: Inventory,
    *,
    without: tuple[str, ...],
    dry_run: bool,
    assume_yes: bool,
    repaired: str | None = None,
    renew: bool = False,
) -> ExitCode:
    """`haplane up`, and what is a variety of it. ``without``, ``repaired`` and ``renew`` as in the workflow."""
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    confirm = agreement(output, assume_yes=assume_yes)
    outcome = up(
        inventory,
        confirm=confirm,
        dry_run=dry_run,
        progress=output.progress,
        repaired=repaired,
        renew=renew,
        without=without,
    )
    if dry_run:
        show_plan(output, outcome.plan, nothing=_nothing(outcome))
    present(output, outcome, inventory.path, dry_run=dry_run, in_lab=inventory.cluster.lab is not None)
    return ExitCode.DONE if dry_run else outcome.exit_code


def present(output: Output, outcome: Outcome, inventory: str, *, dry_run: bool, in_lab: bool) -> None:
    """The summary for people, the document for programs."""
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "plan": outcome.plan,
            "skipped": list(outcome.skipped),
            "status": outcome.status.document() if outcome.status else None,
            "join_command": outcome.join_command,
            "signing_key": outcome.signing_key,
            "warnings": outcome.warnings,
        }
    )
    show_what_is_left(output, outcome)
    if outcome.signing_key:
        setting = f'cluster["snapshots"]["signing_key"] = "{outcome.signing_key}"'
        output.line(f"Add {setting} to the inventory so that forged snapshots are rejected.")
    if not outcome.plan and not dry_run:
        output.line(_nothing(outcome))
    if outcome.status is None:
        return
    for problem in outcome.status.problems:
        output.warn(f"not healthy: {problem}")
    snapshots = outcome.status.snapshots
    if snapshots.pipeline_is_slow:
        output.warn(
            f"warning: the last snapshot took {snapshots.pipeline_seconds:.0f} s, more than half of the interval of "
            f'{snapshots.interval_seconds} s: raise cluster["snapshots"]["interval_seconds"], or shrink the database'
        )
    if outcome.changed and outcome.status.healthy:
        summarise(output, outcome, outcome.status, inventory, in_lab=in_lab)


def _nothing(outcome: Outcome) -> str:
    """Hosts that keep another version for the moment do not match the inventory."""
    return "Nothing to change." if outcome.warnings else NOTHING


def summarise(output: Output, outcome: Outcome, status: Status, inventory: str, *, in_lab: bool) -> None:
    """Where the credentials are, how workers join, what to run next."""
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
    output.line(f"  status          haplane status {inventory}")
    if in_lab:
        output.line(f"  run a drill     haplane drill kill-master {inventory}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
