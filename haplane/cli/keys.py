"""``haplane keys``: the operator's age identity, which decrypts snapshots and is on no host."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from haplane.cli.output import Output
from haplane.cli.run import json_option, reports_errors
from haplane.snapshots.identities import new_identity, prove, read_identities

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def command() -> None:
    """The age identity that decrypts snapshots. Keep it away from the cluster, and keep a copy."""


@command.command()
@file_argument
@json_option
@reports_errors
def new(output: Output, file: Path) -> None:
    """Write a new identity into FILE, which must not exist."""
    recipient = new_identity(file, datetime.now(UTC))
    output.document({"file": str(file), "recipient": recipient})
    output.line(f"{file} holds the private half: keep it off the hosts, and keep a copy in another place.")
    output.line(f"  recipient       {recipient}")
    output.line(f'  the inventory   cluster["snapshots"] = {{"recipients": ["{recipient}"]}}')
    output.line(f"  then            haplane keys check {file}")


@command.command()
@file_argument
@json_option
@reports_errors
def check(output: Output, file: Path) -> None:
    """Prove that the identity in FILE decrypts, and remember its recipient: `haplane up` asks for that."""
    recipients = prove(read_identities(file))
    output.document({"file": str(file), "recipients": list(recipients)})
    for recipient in recipients:
        output.line(f"{recipient}: its identity in {file} decrypted a challenge")
