"""``haplane keys``: the operator's age identity, which is on no host, and rotation of the cluster's keys."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from haplane.cli.output import Output
from haplane.cli.plan import agreement, show_plan, show_what_is_left
from haplane.cli.run import (
    Commands,
    by_a_plan,
    examples,
    inventory_argument,
    json_option,
    load,
    refuse_to_ask,
    reports_errors,
)
from haplane.context.result import Rotated
from haplane.errors import ExitCode
from haplane.snapshots.identities import new_identity, prove, read_identities
from haplane.workflows.rotate import rotate as rotated

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group(cls=Commands)
def command() -> None:
    """Create and check the age identity that decrypts snapshots; rotate the cluster's keys."""


@command.command(epilog=examples("haplane keys new ~/snapshots.age"))
@file_argument
@json_option
@reports_errors
def new(output: Output, file: Path) -> None:
    """Create an age identity in FILE, which must not exist.

    Keep it off the hosts, and keep a copy in another place: without it no snapshot can be decrypted.
    """
    recipient = new_identity(file, datetime.now(UTC))
    output.document({"file": str(file), "recipient": recipient})
    output.line(f"{file} holds the private key: keep it off the hosts, and keep a copy in another place.")
    output.line(f"  recipient       {recipient}")
    output.line(f'  the inventory   cluster["snapshots"] = {{"recipients": ["{recipient}"]}}')
    output.line(f"  then            haplane keys check {file}")


@command.command()
@file_argument
@json_option
@reports_errors
def check(output: Output, file: Path) -> None:
    """Check that the identity in FILE decrypts, and record its recipient on this machine.

    `haplane up` refuses recipients that were never checked.
    """
    recipients = prove(read_identities(file))
    output.document({"file": str(file), "recipients": list(recipients)})
    for recipient in recipients:
        output.line(f"{recipient}: {file} decrypts what is encrypted to it")


@command.command(epilog=examples("haplane keys rotate inventories/prod.py encryption --dry-run"))
@inventory_argument
@click.argument("what", type=click.Choice(["signing", "encryption", "recipients"]))
@by_a_plan
def rotate(output: Output, inventory: str, what: str, *, dry_run: bool, assume_yes: bool) -> ExitCode:
    """Rotate keys of INVENTORY's cluster without an outage. Re-run to complete an interrupted rotation.

    signing: the cluster's signing key and every member's. encryption: the key that encrypts Secrets at rest; every
    Secret is rewritten. recipients: encrypt snapshots and keys to the recipients in the inventory.
    """
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    confirm = agreement(output, assume_yes=assume_yes)
    outcome = rotated(loaded, what, confirm=confirm, dry_run=dry_run, progress=output.progress)
    if dry_run:
        show_plan(output, outcome.plan)
    output.document(
        {
            "kind": outcome.kind,
            "plan": outcome.plan,
            "changed": outcome.changed,
            "dry_run": dry_run,
            "warnings": outcome.warnings,
            **asdict(outcome.rotated or Rotated()),
        }
    )
    for line in _advice(outcome.kind, outcome.rotated, inventory) if outcome.rotated else ():
        output.line(line)
    show_what_is_left(output, outcome)
    return ExitCode.DONE if dry_run else outcome.exit_code


def _advice(kind: str, rotated: Rotated, inventory: str) -> list[str]:
    """What was done, and the edits of the inventory that follow from it."""
    if kind == "signing":
        return _signing_advice(rotated, inventory)
    if kind == "encryption":
        return [
            f"{rotated.secrets} Secrets are encrypted with {rotated.encryption_key}; no API server has the old key.",
            "  Older snapshots need the old key: it is sealed in them, and `haplane restore` adds it.",
        ]
    former = ", ".join(rotated.previous_recipients)
    return [
        f"New snapshots can be decrypted by {', '.join(rotated.recipients)} only.",
        *([f"  Older ones can still be decrypted by {former}, until they are deleted."] if former else []),
        f"  take one for the new recipients: `haplane snapshot take {inventory}`",
        "  then delete the older ones, or re-encrypt copies: docs/snapshots.md, Rotating keys",
    ]


def _signing_advice(rotated: Rotated, inventory: str) -> list[str]:
    setting, old = 'cluster["snapshots"]', rotated.previous_signing_key
    earlier = [
        f'  and {setting}["previous_signing_keys"] = ["{old}"], so that older snapshots stay valid,',
        f'  or, if the old key is compromised, {setting}["revoked_signing_keys"] = ["{old}"], which rejects them.',
    ]
    return [
        f"The cluster's signing key is now {rotated.signing_key}; every member has a new key certified by it.",
        f'  in {inventory}: {setting}["signing_key"] = "{rotated.signing_key}"',
        *(earlier if old else []),
        f"  then: `haplane snapshot take {inventory}`",
    ]
