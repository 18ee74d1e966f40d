"""``haplane verify``: whether a cluster is what its inventory describes, and works."""

from __future__ import annotations

import click

from haplane.checks.results import Verification
from haplane.cli.output import Output
from haplane.cli.run import inventory_argument, json_option, load, reports_errors
from haplane.errors import ExitCode
from haplane.workflows.verify import verify

CONTROLS = "CIS Kubernetes 1.12, controls of docs/cis.md"
WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


@click.command()
@inventory_argument
@click.option(
    "--with-pods",
    is_flag=True,
    help="Also start one small pod per node, in a temporary namespace, and test pod network, service and DNS.",
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="Also run your own testinfra tests in this directory; repeatable. See docs/verify.md.",
)
@json_option
@reports_errors
def command(output: Output, inventory: str, with_pods: bool, suites: tuple[str, ...]) -> ExitCode:
    """Check a cluster against its inventory: services, files, certificates, etcd, API.

    Read-only without --with-pods and --suite. Exit code 0 when every check passed, 6 when one failed, 3 when a host
    is unreachable, 2 when a suite cannot be loaded.
    """
    loaded = load(output, inventory)
    found = verify(loaded, with_pods=with_pods, suites=suites, progress=output.progress)
    output.document(document(found))
    output.table(("suite", "check", "result", "hosts"), rows(found))
    for line in failures(found):
        output.line(line)
    output.line()
    output.line(summary(found))
    return found.exit_code


def document(found: Verification) -> dict[str, object]:
    """The shape of --json."""
    counts = found.counts
    return {
        "passed": counts["passed"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
        "unreachable": list(found.unreachable),
        "checks": [check.model_dump() for check in found.checks],
    }


def rows(found: Verification) -> list[tuple[str, str, str, str]]:
    """Suite, check, result and hosts: one line for each check and result."""
    hosts: dict[tuple[str, str, str], list[str]] = {}
    for check in found.checks:
        name = CONTROLS if check.group == "cis" and check.outcome != "failed" else check.check
        hosts.setdefault((check.group, name, check.outcome), []).append(check.host)
    return [
        (group, name, WORDS[outcome], ", ".join(dict.fromkeys(names)))
        for (group, name, outcome), names in hosts.items()
    ]


def failures(found: Verification) -> list[str]:
    """What failed or was skipped, and where; hosts with the same message are named together."""
    hosts: dict[tuple[str, str], list[str]] = {}
    unreachable = set(found.unreachable)
    for check in found.checks:
        left_out = check.outcome == "skipped" and (check.host in unreachable or check.group == "cis")
        if check.outcome != "passed" and not left_out:
            heading = f"{WORDS[check.outcome]}: {check.group}: {check.check}"
            hosts.setdefault((heading, check.message), []).append(check.host)
    lines: list[str] = []
    for (heading, message), names in hosts.items():
        where = f" [{', '.join(names)}]" if any(names) else ""
        lines += ["", heading + where, *(f"  {line}" for line in message.splitlines())]
    return lines


def summary(found: Verification) -> str:
    """The last line."""
    counts = found.counts
    text = f"{counts['passed']} checks passed, {counts['failed']} failed, {counts['skipped']} skipped"
    if found.unreachable:
        text += f"; unreachable: {', '.join(found.unreachable)}"
    return text
