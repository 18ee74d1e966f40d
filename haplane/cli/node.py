"""``haplane node``: the group, and its verbs ``repair`` and ``discard``."""

from __future__ import annotations

from dataclasses import asdict

import click

from haplane.cli.node_service import drain, patch, reboot, remove, uncordon
from haplane.cli.output import Output
from haplane.cli.plan import agreement, show_plan, show_what_is_left
from haplane.cli.run import (
    Commands,
    by_a_plan,
    examples,
    hosts_argument,
    inventory_argument,
    load,
    refuse_to_ask,
    without_option,
)
from haplane.cli.up import converge
from haplane.errors import BadInput, ExitCode
from haplane.workflows.discard import discard


@click.group(cls=Commands)
def command() -> None:
    """Drain, uncordon, reboot, patch, remove or repair hosts; discard the old etcd data that they keep."""


@command.command(
    "repair",
    short_help="Repair a host that was reinstalled or whose etcd data is damaged.",
    epilog=examples("haplane node repair inventories/prod.py m2 --dry-run"),
)
@inventory_argument
@click.argument("host")
@without_option
@by_a_plan
def repair(
    output: Output, inventory: str, host: str, *, without: tuple[str, ...], dry_run: bool, assume_yes: bool
) -> ExitCode:
    """Repair HOST, which was reinstalled under the same name or whose etcd data is damaged.

    Does what `haplane up` does. Damaged etcd data is moved to a directory beside it, and etcd copies the data from
    the other members.
    """
    loaded = load(output, inventory)
    names = [one.name for one in loaded.hosts]
    if host not in names:
        raise BadInput(
            f"{host} is not in the inventory",
            where=inventory,
            next_step=f"use one of {', '.join(names)}; a replacement is added to the inventory first",
        )
    if host in without:
        raise BadInput(f"{host} cannot be both repaired and left out", next_step=f"remove `--without {host}`")
    return converge(output, loaded, without=without, dry_run=dry_run, assume_yes=assume_yes, repaired=host)


@command.command(
    "discard",
    short_help="Delete the old etcd data that hosts keep.",
    epilog=examples("haplane node discard inventories/prod.py"),
)
@inventory_argument
@hosts_argument
@by_a_plan
def discard_kept(
    output: Output, inventory: str, hosts: tuple[str, ...], *, dry_run: bool, assume_yes: bool
) -> ExitCode:
    """Delete the old etcd data that restores and repairs keep on each HOST, or on all hosts of INVENTORY.

    Refused until every etcd member is healthy. `haplane status` lists the data.
    """
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    confirm = agreement(output, assume_yes=assume_yes, question="Delete this data for good?")
    outcome = discard(loaded, hosts, confirm=confirm, dry_run=dry_run, progress=output.progress)
    if dry_run or not outcome.plan:
        show_plan(output, outcome.plan, nothing="Nothing to delete: no reachable host keeps old data.")
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "plan": outcome.plan,
            "removed": [asdict(one) for one in outcome.removed],
            "skipped": list(outcome.skipped),
        }
    )
    show_what_is_left(output, outcome)
    for one in outcome.removed:
        output.line(f"deleted: {one.host}:{one.path}")
    return ExitCode.DONE if dry_run else outcome.exit_code


for verb in (drain, uncordon, reboot, patch, remove):
    command.add_command(verb)
