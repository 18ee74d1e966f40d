"""``haplane snapshot``: take one now, list, verify and prune."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from haplane.agent.manifest import Manifest, SnapshotId
from haplane.cli.output import Output
from haplane.cli.run import (
    Commands,
    agree,
    agree_or_end,
    inventory_argument,
    json_option,
    load,
    refuse_to_ask,
    reports_errors,
    yes_option,
)
from haplane.errors import ExitCode, Refused
from haplane.snapshots.entries import CatalogEntry
from haplane.workflows.snapshot import Pruning, list_snapshots, plan_pruning, prune, take
from haplane.workflows.verify_snapshot import Verified, verify_snapshot

SHOWN = 30
JUNK_SHOWN = 10
MEGABYTE = 1_000_000
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@click.group(cls=Commands)
def command() -> None:
    """Take, list, verify and prune etcd snapshots.

    Members also take them on a timer. Each snapshot holds the cluster's sealed keys.
    """


@command.command("take")
@inventory_argument
@json_option
@reports_errors
def take_command(output: Output, inventory: str) -> ExitCode:
    """Take a snapshot now, on a member that is not the leader. Exit code 6 if it was taken without quorum."""
    manifest = take(load(output, inventory), output.progress)
    output.document(document_of(manifest))
    word = "verified" if manifest.with_quorum else "taken WITHOUT QUORUM, so it may lack acknowledged writes"
    output.line(
        f"{manifest.id}: {word}; {manifest.key_count} keys, {size_of(manifest)}, {manifest.total_seconds:.1f} s"
    )
    return ExitCode.DONE if manifest.with_quorum else ExitCode.INCOMPLETE


@command.command("list")
@inventory_argument
@click.option("--all", "all_of_them", is_flag=True, help=f"List all, not only the {SHOWN} newest.")
@json_option
@reports_errors
def list_command(output: Output, inventory: str, all_of_them: bool) -> ExitCode:
    """List the snapshots on members and in the bucket, newest first."""
    listing = list_snapshots(load(output, inventory), output.progress, most=None if all_of_them else SHOWN)
    output.document(
        {
            "snapshots": [entry_document(entry) for entry in listing.snapshots],
            "unread": listing.unread,
            "hidden": listing.hidden,
        }
    )
    now = datetime.now(UTC)
    columns = ("ID", "AGE", "MEMBER", "REVISION", "KEYS", "SIZE", "VERIFIED", "WHERE")
    output.table(columns, [row(entry, now) for entry in listing.snapshots])
    for entry in listing.snapshots:
        if entry.problem:
            output.line(f"problem: {entry.id}: {entry.problem}")
    if listing.hidden:
        output.warn(f"{listing.hidden} more cannot be restored; --all lists them")
    for place, why in listing.unread.items():
        output.warn(f"not read: {place}: {why}")
    return listing.exit_code


@command.command("verify")
@inventory_argument
@click.argument("snapshot", default="latest")
@click.option(
    "--identity",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also decrypt it with this age identity and restore it on a scratch etcd on this machine.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="With --identity: also serve it with a scratch API server on this machine and read every object.",
)
@json_option
@reports_errors
def verify_command(output: Output, inventory: str, snapshot: str, identity: Path | None, *, deep: bool) -> ExitCode:
    """Read every copy of SNAPSHOT (an ID or `latest`) and compare it with what the cluster signed.

    With --identity it is opened as a restore opens it, and fails wherever a restore would refuse it.
    """
    found = verify_snapshot(load(output, inventory), snapshot, identity, output.progress, deep=deep)
    output.document(verified_document(found))
    output.table(("COPY", "RESULT"), [(copy.place, copy.problem or "as signed") for copy in found.copies])
    for each, why in found.passed_over.items():
        output.warn(f"skipped: {each}: {why}")
    if found.problem:
        output.warn(f"{found.manifest.id}: {found.problem}")
    present_opened(output, found)
    return found.exit_code


def present_opened(output: Output, found: Verified) -> None:
    """What decrypting, restoring and serving it has shown."""
    if found.database is None:
        output.line(f"{found.manifest.id} was not opened: --identity FILE also decrypts and restores it")
        return
    output.line(
        f"{found.manifest.id} was decrypted and restored on a scratch etcd: "
        f"revision {found.database.revision}, {found.database.records} keys, as signed"
    )
    if (proof := found.proof) is None:
        return
    kinds = sum(number > 0 for number in proof.objects.values())
    output.line(
        f"a scratch API server read {sum(proof.objects.values())} objects of {kinds} kinds, "
        f"{proof.secrets_read} Secrets among them, of the cluster {proof.uid}"
    )
    for path, why in sorted(proof.unchecked.items()):
        output.warn(f"not checked: {path}: {why}")


@command.command("prune")
@inventory_argument
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@yes_option
@click.option("--remove-most", is_flag=True, help="With --yes: prune even if more snapshots are removed than kept.")
@click.option("--unsigned", is_flag=True, help="With --yes: also remove what no key of the cluster signed.")
@json_option
@reports_errors
def prune_command(
    output: Output, inventory: str, *, dry_run: bool, assume_yes: bool, remove_most: bool, unsigned: bool
) -> ExitCode:
    """Remove from the bucket the snapshots that keep_remote does not retain. Members prune their own disks."""
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    pruning = plan_pruning(loaded, output.progress)
    show(output, pruning)
    going = bool(pruning.removable or pruning.abandoned) and not dry_run
    if going and not agreed(output, pruning, loaded.path, assume_yes=assume_yes, remove_most=remove_most):
        going, pruning = False, replace(pruning, removable=(), abandoned=())
    junk = bool(pruning.unsigned) and not dry_run and junk_may_go(pruning, assume_yes=assume_yes, unsigned=unsigned)
    if going or junk:
        pruning = prune(loaded, pruning, output.progress, unsigned=junk)
        output.line(f"removed {len(pruning.removed)}")
    for each, why in pruning.refused.items():
        output.warn(f"not removed: {each}: {why}")
    output.document(vars(pruning))
    return pruning.exit_code


def agreed(output: Output, pruning: Pruning, path: str, *, assume_yes: bool, remove_most: bool) -> bool:
    """Whether to remove them; asked twice when more are removed than kept.

    Raises Refused where --yes alone is not enough.
    """
    count = f"{len(pruning.removable)} snapshots would be removed and {len(pruning.kept)} kept"
    if assume_yes and pruning.removes_most and not remove_most:
        raise Refused(
            "this would remove more snapshots than it keeps; nothing was removed",
            where=path,
            why=count,
            next_step="check the plan with --dry-run; if it is right: --yes --remove-most",
        )
    if assume_yes:
        return True
    sure = f"{count}. Are you sure?"
    return agree_or_end(output, "Remove them?") and (not pruning.removes_most or agree_or_end(output, sure))


def junk_may_go(pruning: Pruning, *, assume_yes: bool, unsigned: bool) -> bool:
    """Whether to remove what no key of the cluster signed; --yes alone does not."""
    if assume_yes:
        return unsigned
    return agree(f"Also remove the {len(pruning.unsigned)} that no key of this cluster signed?")


def show(output: Output, pruning: Pruning) -> None:
    """What is removed, and what is left alone for which reason."""
    for each in pruning.removable:
        output.line(f"remove {each}: the retention does not keep it")
    for each in pruning.abandoned:
        output.line(f"remove {each}: its upload was never completed")
    for each, why in pruning.left_alone.items():
        output.warn(f"left alone: {each}: {why}")
    if pruning.unlisted:
        output.warn(f"only a part of the bucket was read: {pruning.unlisted}; prune again afterwards")
    for each in sorted(pruning.unsigned)[:JUNK_SHOWN]:
        output.warn(f"unsigned: {each}: {pruning.unsigned[each]}")
    if pruning.unsigned:
        output.warn(
            f"{len(pruning.unsigned)} are not signed by a key of this cluster; removing them needs a separate "
            "confirmation (with --yes: --unsigned)"
        )
    for member, counts in sorted(pruning.members.items()):
        output.line(f"{member}: keep {counts['kept']}, remove {counts['removed']}")
    output.line(f"keep {len(pruning.kept)}, remove {len(pruning.removable) + len(pruning.abandoned)}")


def row(entry: CatalogEntry, now: datetime) -> tuple[str, ...]:
    """One line of the list."""
    known, manifest = SnapshotId.parse(entry.id), entry.manifest
    return (
        entry.id,
        age((now - known.taken_at).total_seconds()),
        known.member,
        str(known.revision),
        str(manifest.key_count) if manifest else "?",
        size_of(manifest) if manifest else "?",
        verdict(entry),
        ",".join(entry.where),
    )


def verdict(entry: CatalogEntry) -> str:
    """The column VERIFIED."""
    if entry.problem:
        return "NO"
    return "yes" if entry.verified else "no quorum"


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


def entry_document(entry: CatalogEntry) -> dict[str, object]:
    """For --json."""
    return {
        "id": entry.id,
        "where": entry.where,
        "verified": entry.verified,
        "problem": entry.problem,
        "manifest": document_of(entry.manifest) if entry.manifest else None,
    }


def verified_document(found: Verified) -> dict[str, object]:
    """For --json."""
    database, proof = found.database, found.proof
    return {
        "id": found.manifest.id,
        "copies": [vars(copy) for copy in found.copies],
        "restored": {"revision": database.revision, "key_count": database.records} if database else None,
        "deep": {"id": found.manifest.id, **proof.document()} if proof else None,
        "passed_over": found.passed_over,
        "problem": found.problem,
        "manifest": document_of(found.manifest),
    }
