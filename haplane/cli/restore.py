"""``haplane restore``: its options and its summary."""

from __future__ import annotations

from pathlib import Path

import click

from haplane.cli.output import Output
from haplane.cli.plan import agreement, agreement_by_name, show_plan, show_what_is_left
from haplane.cli.run import by_a_plan, inventory_argument, load, refuse_to_ask
from haplane.errors import BadInput, ExitCode
from haplane.recovery.request import RestoreRequest
from haplane.workflows.restore import Outcome, restore


@click.command("restore")
@inventory_argument
@click.option("--snapshot", metavar="ID|latest", help="A stored snapshot, or the latest verified one.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="An etcd snapshot, or a copy of /var/lib/etcd.")
@click.option(
    "--identity", type=click.Path(path_type=Path), metavar="FILE", help="The age identity that decrypts the snapshot."
)
@click.option("--unsigned", is_flag=True, help="Accept a file without a signature; asks for the cluster's name.")
@click.option("--pki", type=click.Path(path_type=Path), help="A copy of a master's /etc/kubernetes, for its keys.")
@click.option("--without", multiple=True, metavar="HOST", help="Restore without this unreachable host; repeatable.")
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Restore even if newer data is lost, or a repair without loss is possible.",
)
@click.option("--confirm", "typed", metavar="NAME", help="The cluster's name, instead of typing it.")
@by_a_plan
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
    dry_run: bool,
    assume_yes: bool,
) -> ExitCode:
    """Restore etcd from a snapshot (last resort), or complete a restore that was interrupted.

    Without --snapshot and --file it restores the newest of the members' own data and the stored snapshots. It refuses
    while the cluster can be recovered without losing data.
    """
    if snapshot is not None and file is not None:
        raise BadInput("--snapshot and --file exclude each other", next_step="give one of them")
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    request = RestoreRequest(snapshot, file, identity, pki, unsigned, without, accept_loss)
    name = loaded.cluster.name
    if unsigned and assume_yes and typed is None:
        raise BadInput("an unsigned source needs the cluster's name", next_step=f"add --confirm {name}")
    if unsigned:
        confirm = agreement_by_name(output, name, typed=typed, assume_yes=assume_yes)
    else:
        confirm = agreement(output, assume_yes=assume_yes)
    outcome = restore(loaded, request, confirm=confirm, dry_run=dry_run, progress=output.progress)
    if dry_run:
        show_plan(output, outcome.plan)
    present(output, outcome, inventory, dry_run=dry_run)
    return ExitCode.DONE if dry_run else outcome.exit_code


def present(output: Output, outcome: Outcome, inventory: str, *, dry_run: bool) -> None:
    """The summary, or the document for --json."""
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "plan": outcome.plan,
            "source": outcome.source,
            "revision_before": outcome.revision_before,
            "revision": outcome.revision,
            "uid": outcome.uid,
            "outage_seconds": outcome.outage_seconds,
            "previous_data": outcome.previous_data,
            "skipped": list(outcome.skipped),
            "warnings": (*outcome.warnings, *outcome.disproofs),
            "status": outcome.status.document() if outcome.status else None,
        }
    )
    show_what_is_left(output, outcome)
    for name in outcome.skipped:
        output.warn(f"before {name} serves again, run: `haplane node repair {inventory} {name}`")
    for disproof in outcome.disproofs:
        output.warn(f"verification failed: {disproof}")
    if outcome.status is None or outcome.disproofs:
        return
    for problem in outcome.status.problems:
        output.warn(f"not healthy: {problem}")
    output.line()
    output.line(f"Restored from {outcome.source}: cluster {outcome.uid} continues at revision {outcome.revision}.")
    if outcome.outage_seconds is not None:
        output.line(f"  API outage      {outcome.outage_seconds} s")
    output.line(f"  previous data   {outcome.previous_data} on each member")
    output.line("  other workers   systemctl restart kubelet    on nodes that the inventory does not name")
    output.line(f"  check it        haplane verify {inventory}")
