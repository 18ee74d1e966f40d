"""``haplane snapshot``: take one now, list, verify and prune."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from haplane.cli.output import Output
from haplane.cli.run import agree, inventory_argument, json_option, refuse_to_ask, reports_errors, yes_option
from haplane.config.load import load_inventory
from haplane.errors import BadInput, ExitCode
from haplane.snapshots.identities import read_identities
from haplane.snapshots.manifest import Manifest, SnapshotId
from haplane.workflows.prove_snapshot import prove_snapshot
from haplane.workflows.snapshot import Listed, Pruning, list_snapshots, plan_pruning, prune, take
from haplane.workflows.verify_snapshot import Verified, verify_snapshot

SHOWN = 30
MEGABYTE = 1_000_000
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@click.group()
def command() -> None:
    """Snapshots of etcd, each with the cluster's sealed keys: the members take them by themselves."""


@command.command("take")
@inventory_argument
@json_option
@reports_errors
def take_command(output: Output, inventory: str) -> None:
    """Take one now, on a member that does not lead."""
    manifest = take(load_inventory(inventory), output.progress)
    output.document(document_of(manifest))
    word = "verified" if manifest.with_quorum else "taken WITHOUT QUORUM: it may lack acknowledged writes"
    output.line(
        f"{manifest.id}: {word}; {manifest.key_count} keys, {size_of(manifest)}, {manifest.total_seconds:.1f} s"
    )


@command.command("list")
@inventory_argument
@click.option("--all", "all_of_them", is_flag=True, help=f"Not only the {SHOWN} newest.")
@json_option
@reports_errors
def list_command(output: Output, inventory: str, all_of_them: bool) -> ExitCode:
    """Show what members and the bucket have, newest first."""
    listing = list_snapshots(load_inventory(inventory), output.progress, most=None if all_of_them else SHOWN)
    output.document(
        {"snapshots": [listed_document(listed) for listed in listing.snapshots], "silent": listing.silent}
    )
    now = datetime.now(UTC)
    columns = ("ID", "AGE", "MEMBER", "REVISION", "KEYS", "SIZE", "VERIFIED", "WHERE")
    output.table(columns, [row(listed, now) for listed in listing.snapshots])
    for listed in listing.snapshots:
        if listed.problem:
            output.line(f"problem: {listed.id}: {listed.problem}")
    for place, why in listing.silent.items():
        output.warn(f"not asked: {place}: {why}")
    return listing.exit_code


@command.command("verify")
@inventory_argument
@click.argument("snapshot", default="latest")
@click.option(
    "--identity",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also decrypt it with this age identity and restore it in a scratch directory of this machine.",
)
@click.option("--deep", is_flag=True, help="Also serve it by a throw-away API server here and read every object.")
@json_option
@reports_errors
def verify_command(output: Output, inventory: str, snapshot: str, identity: Path | None, *, deep: bool) -> ExitCode:
    """Read every copy of SNAPSHOT (an id, or latest) back and compare it with what the cluster signed."""
    loaded = load_inventory(inventory)
    if deep and identity is None:
        raise BadInput("--deep reads what is encrypted", next_step="give the operator's age identity with --identity")
    identities = read_identities(identity) if identity else ()
    found = verify_snapshot(loaded, snapshot, identities, output.progress)
    proven = prove_snapshot(loaded, found.id, identity, output.progress) if deep else None
    output.document({**verified_document(found), "deep": proven.document() if proven else None})
    output.table(("COPY", "RESULT"), [(copy.place, copy.problem or "as signed") for copy in found.copies])
    if found.restored:
        output.line(
            f"{found.id} was decrypted and restored: "
            f"revision {found.restored.revision}, {found.restored.key_count} keys, as signed"
        )
    if proven:
        proof = proven.proof
        kinds = sum(number > 0 for number in proof.objects.values())
        output.line(
            f"a throw-away API server read {sum(proof.objects.values())} objects of {kinds} kinds, "
            f"{proof.secrets_read} Secrets among them, of the cluster {proof.uid}"
        )
    return found.exit_code


@command.command("prune")
@inventory_argument
@click.option("--dry-run", is_flag=True, help="Show what would be removed and remove nothing.")
@yes_option
@json_option
@reports_errors
def prune_command(output: Output, inventory: str, *, dry_run: bool, assume_yes: bool) -> ExitCode:
    """Remove from the bucket what keep_remote does not keep. Members prune their own."""
    loaded = load_inventory(inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    pruning = plan_pruning(loaded, output.progress, datetime.now(UTC))
    show(output, pruning)
    going = bool(pruning.removable or pruning.abandoned) and not dry_run
    if going and (assume_yes or agree("Remove them?")):
        pruning = prune(loaded, pruning, output.progress)
        output.line(f"removed {len(pruning.removed)}")
    output.document(vars(pruning))
    return ExitCode.DONE


def show(output: Output, pruning: Pruning) -> None:
    """What goes, and what stays for which reason."""
    for each in pruning.removable:
        output.line(f"remove {each}: the retention does not keep it")
    for each in pruning.abandoned:
        output.line(f"remove {each}: its upload was never completed")
    for each, why in pruning.left_alone.items():
        output.warn(f"left alone: {each}: {why}")
    output.line(f"{len(pruning.kept)} are kept, {len(pruning.removable) + len(pruning.abandoned)} may go")


def row(listed: Listed, now: datetime) -> tuple[str, ...]:
    """One line of the list."""
    known, manifest = SnapshotId.parse(listed.id), listed.manifest
    return (
        listed.id,
        age((now - known.taken_at).total_seconds()),
        known.member,
        str(known.revision),
        str(manifest.key_count) if manifest else "?",
        size_of(manifest) if manifest else "?",
        verdict(listed),
        ",".join(listed.where),
    )


def verdict(listed: Listed) -> str:
    """One word or two on whether to rely on it."""
    if listed.problem:
        return "NO"
    return "yes" if listed.verified else "no quorum"


def age(seconds: float) -> str:
    """The largest unit that fits, like ``12 min``."""
    for length, unit in UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def size_of(manifest: Manifest) -> str:
    """Of what is stored."""
    return f"{manifest.payload_bytes / MEGABYTE:.1f} MB"


def document_of(manifest: Manifest) -> dict[str, object]:
    """The manifest as it is stored."""
    document: dict[str, object] = json.loads(manifest.to_bytes())
    return document


def listed_document(listed: Listed) -> dict[str, object]:
    """For --json."""
    return {
        "id": listed.id,
        "where": listed.where,
        "verified": listed.verified,
        "problem": listed.problem,
        "manifest": document_of(listed.manifest) if listed.manifest else None,
    }


def verified_document(found: Verified) -> dict[str, object]:
    """For --json."""
    return {
        "id": found.id,
        "copies": [vars(copy) for copy in found.copies],
        "restored": vars(found.restored) if found.restored else None,
        "manifest": document_of(found.manifest) if found.manifest else None,
    }
