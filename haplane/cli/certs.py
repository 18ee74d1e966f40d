"""``haplane certs``: list every certificate, or renew those that haplane manages."""

from __future__ import annotations

from dataclasses import asdict

import click

from haplane.cli.output import Output
from haplane.cli.run import (
    Commands,
    by_a_plan,
    examples,
    inventory_argument,
    json_option,
    load,
    reports_errors,
    without_option,
)
from haplane.cli.up import converge
from haplane.domain.status import Certificate, certificate_problems, summarise_certificates, validity
from haplane.errors import ExitCode
from haplane.workflows.certs import list_certificates


@click.group(cls=Commands)
def command() -> None:
    """List every certificate on every host, or renew them."""


@command.command("status", epilog=examples("haplane certs status inventories/prod.py"))
@inventory_argument
@json_option
@reports_errors
def show_certificates(output: Output, inventory: str) -> ExitCode:
    """List every certificate on every host of INVENTORY: days left, issuer, what renews it.

    A certificate inside a kubeconfig is listed by the kubeconfig's path. Exits with 6 when a host is unreachable.
    """
    listing = list_certificates(load(output, inventory), output.progress)
    output.document(
        {
            "certificates": [_document(one) for one in listing.certificates],
            "unreachable": dict(listing.unreachable),
        }
    )
    output.table(
        ("HOST", "CERTIFICATE", "SUBJECT", "DAYS LEFT", "ISSUER", "RENEWED BY"),
        [
            (one.host, one.path, one.subject, _days(one), one.issuer, one.renewed_by.value)
            for one in listing.certificates
        ],
    )
    for problem in certificate_problems(summarise_certificates(listing.certificates), inventory):
        output.line(f"problem: {problem}")
    for name, why in sorted(listing.unreachable.items()):
        output.warn(f"not listed: {name} is unreachable ({why})")
    return ExitCode.INCOMPLETE if listing.unreachable else ExitCode.DONE


def _document(one: Certificate) -> dict[str, object]:
    return asdict(one) | {
        "not_after": one.not_after.isoformat(),
        "days_left": round(one.days_left, 1),
        "renewed_by": one.renewed_by.value,
    }


def _days(one: Certificate) -> str:
    return f"{one.days_left:.0f}" if one.days_left >= 1 else validity(one.days_left)


@command.command("renew", epilog=examples("haplane certs renew inventories/prod.py --dry-run"))
@inventory_argument
@without_option
@by_a_plan
def renew(output: Output, inventory: str, *, without: tuple[str, ...], dry_run: bool, assume_yes: bool) -> ExitCode:
    """Renew every certificate of INVENTORY that haplane manages, without an outage.

    Does what `haplane up` does with all of them due: etcd members and control planes restart one at a time.
    """
    loaded = load(output, inventory)
    return converge(output, loaded, without=without, dry_run=dry_run, assume_yes=assume_yes, renew=True)
