"""``haplane reset``: remove the cluster from hosts, once its name was typed."""

from __future__ import annotations

import click

from haplane.cli.output import Output
from haplane.cli.plan import agreement_by_name, show_plan, show_what_is_left
from haplane.cli.run import by_a_plan, examples, hosts_argument, inventory_argument, load, refuse_to_ask
from haplane.errors import ExitCode
from haplane.workflows.reset import reset

NOTHING = "Nothing to reset: none of these hosts is reachable."


@click.command(
    "reset",
    epilog=examples("haplane reset inventories/prod.py --dry-run", "haplane reset inventories/prod.py m3"),
)
@inventory_argument
@hosts_argument
@click.option("--confirm", "typed", metavar="NAME", help="The cluster's name, instead of typing it.")
@by_a_plan
def command(
    output: Output, inventory: str, hosts: tuple[str, ...], *, typed: str | None, dry_run: bool, assume_yes: bool
) -> ExitCode:
    """Remove the cluster from each HOST, or from all hosts of INVENTORY.

    etcd's data and all keys are moved to /var/lib/haplane-reset on each host, not deleted. Asks for the cluster's
    name.
    """
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run or typed is not None)
    confirm = agreement_by_name(output, loaded.cluster.name, typed=typed, assume_yes=assume_yes)
    outcome = reset(loaded, hosts, confirm=confirm, dry_run=dry_run, progress=output.progress)
    if dry_run:
        show_plan(output, outcome.plan, nothing=NOTHING)
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "plan": outcome.plan,
            "done": outcome.done,
            "kept_in": outcome.kept_in,
            "skipped": list(outcome.skipped),
        }
    )
    show_what_is_left(output, outcome)
    if outcome.done:
        output.line(f"reset: {', '.join(outcome.done)}; data and keys are in {outcome.kept_in} on each host")
    return ExitCode.DONE if dry_run else outcome.exit_code
