"""``haplane reset``."""

from __future__ import annotations

import click

from haplane.cli.output import Output
from haplane.cli.run import ask, inventory_argument, json_option, reports_errors
from haplane.config.load import load_inventory
from haplane.errors import BadInput, ExitCode
from haplane.workflows.reset import reset


@click.command("reset")
@inventory_argument
@click.argument("hosts", nargs=-1)
@click.option("--confirm", "typed", metavar="NAME", help="The cluster's name, for scripts that cannot type it.")
@json_option
@reports_errors
def command(output: Output, inventory: str, hosts: tuple[str, ...], typed: str | None) -> ExitCode:
    """Take haplane's cluster off HOSTS, or off all of INVENTORY. Data and keys are moved aside, not deleted."""
    loaded = load_inventory(inventory)
    name = loaded.cluster.name

    def confirm(lines: tuple[str, ...]) -> bool:
        for line in lines:
            output.line(line)
        answer = typed if typed is not None else ask(f"Type the cluster's name ({name}) to go on")
        if answer != name:
            raise BadInput(
                f"{answer!r} is not the cluster's name; nothing was changed",
                next_step=f"type {name}, or pass --confirm",
            )
        return True

    outcome = reset(loaded, hosts, confirm=confirm, progress=output.progress)
    output.document({"done": outcome.done, "aside": outcome.aside, "skipped": outcome.skipped})
    for host in outcome.skipped:
        output.warn(f"skipped: {host} cannot be reached")
    output.line(f"clean: {', '.join(outcome.done) or 'none'}; what they held is in {outcome.aside} on each")
    return outcome.exit_code
