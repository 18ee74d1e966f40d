"""``haplane restore``."""

from __future__ import annotations

from pathlib import Path

import click

from haplane.cli.output import Output
from haplane.cli.run import agree, ask, inventory_argument, json_option, refuse_to_ask, reports_errors, yes_option
from haplane.config.load import load_inventory
from haplane.errors import BadInput, ExitCode
from haplane.phases.find_source import Wish
from haplane.workflows.restore import Outcome, restore


@click.command("restore")
@inventory_argument
@click.option("--snapshot", metavar="ID|latest", help="A stored snapshot, or the newest good one.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="An etcd snapshot, or a copy of /var/lib/etcd.")
@click.option("--identity", type=click.Path(path_type=Path), help="The operator's age identity.")
@click.option(
    "--unsigned", is_flag=True, help="Accept a file that carries no signature; asks for the cluster's name."
)
@click.option("--pki", type=click.Path(path_type=Path), help="A copy of a master's /etc/kubernetes.")
@click.option("--without", multiple=True, metavar="HOST", help="Leave an unreachable host out; repeatable.")
@click.option("--accept-loss", is_flag=True, help="Restore although less would do, or newer data is there.")
@click.option("--confirm", "typed", metavar="NAME", help="The cluster's name, for scripts that cannot type it.")
@yes_option
@json_option
@reports_errors
def command(
    output: Output,
    inventory: str,
    *,
    snapshot: str | None,
    file: Path | None,
    identity: Path | None,
    unsigned: bool,
    pki: Path | None,
    without: tuple[str, ...],
    accept_loss: bool,
    typed: str | None,
    assume_yes: bool,
) -> ExitCode:
    """Bring INVENTORY's cluster back from a snapshot, or complete a restore that was interrupted.

    Without --snapshot and --file it restores the newest of what members still hold and what is stored, and refuses
    where less would do.
    """
    if snapshot is not None and file is not None:
        raise BadInput("--snapshot and --file are two sources", next_step="choose one of them")
    loaded = load_inventory(inventory)
    refuse_to_ask(output, assume_yes=assume_yes)
    wish = Wish(snapshot, file, identity, pki, unsigned, without, accept_loss)
    name = loaded.cluster.name

    def confirm(lines: tuple[str, ...]) -> bool:
        for line in lines:
            output.line(line)
        if not unsigned:
            return assume_yes or agree("Go ahead?")
        if typed is None and assume_yes:
            raise BadInput("an unsigned source needs the cluster's name", next_step=f"add --confirm {name}")
        answer = typed or ask(f"Type the cluster's name ({name}) to go on")
        if answer != name:
            raise BadInput(f"{answer!r} is not the cluster's name; nothing was changed", next_step=f"type {name}")
        return True

    outcome = restore(loaded, wish, confirm=confirm, progress=output.progress)
    present(output, outcome, inventory)
    return outcome.exit_code


def present(output: Output, outcome: Outcome, inventory: str) -> None:
    """The short summary, or the document."""
    output.document(
        {
            "changed": outcome.status is not None,
            "plan": outcome.plan,
            "source": outcome.source,
            "revision_before": outcome.revision_before,
            "revision": outcome.revision,
            "uid": outcome.uid,
            "outage_seconds": outcome.outage_seconds,
            "aside": outcome.aside,
            "skipped": outcome.skipped,
            "problems": outcome.problems,
            "status": outcome.status.document() if outcome.status else None,
        }
    )
    for name in outcome.skipped:
        output.warn(f"left out: {name}; before it serves again: haplane node repair {inventory} {name}")
    for problem in (*outcome.problems, *(outcome.status.problems if outcome.status else ())):
        output.warn(f"not as it should be: {problem}")
    if outcome.status is None or outcome.problems:
        return
    output.line()
    output.line(f"Restored from {outcome.source}: the cluster {outcome.uid} goes on at revision {outcome.revision}.")
    if outcome.outage_seconds is not None:
        output.line(f"  API away        {outcome.outage_seconds} s")
    output.line(f"  the old data    {outcome.aside} on each member")
    output.line("  other workers   systemctl restart kubelet    on nodes that the inventory does not name")
    output.line(f"  prove it        haplane verify {inventory}")
