"""``haplane node``."""

from __future__ import annotations

from dataclasses import asdict

import click

from haplane.cli.output import Output
from haplane.cli.run import agree, inventory_argument, json_option, refuse_to_ask, reports_errors, yes_option
from haplane.cli.up import present, show_plan
from haplane.config.load import load_inventory
from haplane.domain.recovery import Kept
from haplane.errors import BadInput, ExitCode
from haplane.workflows.discard import discard
from haplane.workflows.up import up


@click.group()
def command() -> None:
    """One machine of the cluster."""


@command.command("repair")
@inventory_argument
@click.argument("host")
@click.option("--dry-run", is_flag=True, help="Show what would be done and touch nothing.")
@yes_option
@json_option
@reports_errors
def repair(output: Output, inventory: str, host: str, *, dry_run: bool, assume_yes: bool) -> ExitCode:
    """Bring HOST back: a machine that was made anew under its name, or one whose etcd data are damaged.

    It is `haplane up`, and may give up HOST's etcd data as well where they are damaged: they are moved aside.
    """
    loaded = load_inventory(inventory)
    names = [one.name for one in loaded.hosts]
    if host not in names:
        raise BadInput(
            f"{host}: not in the inventory",
            where=inventory,
            why=f"it names {', '.join(names)}",
            next_step="name a host of the inventory; one that replaces another is written into it first",
        )
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)

    def confirm(lines: tuple[str, ...]) -> bool:
        show_plan(output, lines)
        return assume_yes or agree("Go ahead?")

    outcome = up(loaded, confirm=confirm, dry_run=dry_run, progress=output.progress, repaired=host)
    if dry_run:
        show_plan(output, outcome.plan)
    present(output, outcome, inventory, dry_run=dry_run, in_lab=loaded.cluster.lab is not None)
    return ExitCode.DONE if dry_run else outcome.exit_code


@command.command("discard")
@inventory_argument
@click.argument("hosts", nargs=-1)
@yes_option
@json_option
@reports_errors
def discard_kept(output: Output, inventory: str, hosts: tuple[str, ...], *, assume_yes: bool) -> ExitCode:
    """Remove the old etcd data that restores and repairs have kept on HOSTS, or on all of INVENTORY.

    Refused until every member serves again. `haplane status` lists what is kept.
    """
    loaded = load_inventory(inventory)
    refuse_to_ask(output, assume_yes=assume_yes)

    def confirm(found: tuple[Kept, ...]) -> bool:
        for one in found:
            output.line(f"{one.host}: {one.path}, {one.size / (1 << 20):.0f} MiB")
        return assume_yes or agree("Remove them for good?")

    outcome = discard(loaded, hosts, confirm=confirm, progress=output.progress)
    output.document({"removed": [asdict(one) for one in outcome.removed], "skipped": outcome.skipped})
    for name in outcome.skipped:
        output.warn(f"skipped: {name} cannot be reached")
    output.line(f"removed: {', '.join(f'{one.host}:{one.path}' for one in outcome.removed) or 'nothing'}")
    return outcome.exit_code
