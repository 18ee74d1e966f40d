"""``haplane drill``: outages on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from haplane.cli.output import Output
from haplane.cli.run import (
    Commands,
    agree_or_end,
    inventory_argument,
    json_option,
    load,
    refuse_to_ask,
    reports_errors,
    yes_option,
)
from haplane.drills.catalog import DRILLS
from haplane.drills.drill import Drill
from haplane.drills.limits import Limits
from haplane.drills.reports.compare import compared, read_report
from haplane.drills.reports.report import Report
from haplane.drills.reports.report_files import main_page, refuse_unwritable, write_junit, write_reports
from haplane.errors import BadInput, ExitCode, HaplaneError
from haplane.workflows.drill import Skipped, carry_out, context_of, series
from haplane.workflows.prepare import hosts_named

SERIES = "This causes real outages, one after the other:"
OPTIONS = (
    click.option("--in-cluster", is_flag=True, help="Also probe from a pod's network on a surviving master."),
    click.option(
        "--report", type=click.Path(file_okay=False, path_type=Path), help="Write the HTML and JSON reports here."
    ),
    click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report for CI."),
    click.option(
        "--repeat",
        type=click.IntRange(1, 100),
        default=1,
        show_default=True,
        metavar="N",
        help="Run each drill N times.",
    ),
    click.option("--force", is_flag=True, help="Allow drills that destroy data on hosts outside a lab."),
    yes_option,
    json_option,
)


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that runs drills."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True)
class Options:
    """What OPTIONS were given."""

    in_cluster: bool
    report: Path | None
    junit: Path | None
    repeat: int
    force: bool
    assume_yes: bool


@click.group(cls=Commands)
def command() -> None:
    """Break one thing on a live cluster, on purpose, and measure what clients notice."""


@command.command("list")
@json_option
@reports_errors
def list_drills(output: Output) -> None:
    """List every drill with the longest gap that it allows."""
    output.table(
        ("drill", "what it does", "longest gap allowed"),
        [(drill.name, drill.summary, allowed(drill.limits)) for drill in DRILLS.values()],
    )
    output.document(
        [
            {
                "name": drill.name,
                "summary": drill.summary,
                "limits": asdict(drill.limits),
                "is_outage": drill.is_outage,
                "destroys": drill.destroys,
            }
            for drill in DRILLS.values()
        ]
    )


def allowed(limits: Limits) -> str:
    """The limits of gaps, in words."""
    if limits.failed_requests == 0:
        return "no request may fail"
    return f"reads {limits.read_gap:g} s, writes {limits.write_gap:g} s"


@command.command("run")
@inventory_argument
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Run every drill that can run on this cluster.")
@with_options
@reports_errors
def run_several(
    output: Output, inventory: str, names: tuple[str, ...], *, everything: bool, **options: Any
) -> ExitCode:
    """Run several drills, one after the other."""
    drills = chosen(names, everything=everything)
    return carried_out(output, inventory, drills, None, Options(**options), all_that_can=everything)


@command.command("compare")
@click.argument("one", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("other", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@reports_errors
def compare(output: Output, one: Path, other: Path) -> None:
    """Show the figures of two reports (.json or .html) side by side."""
    rows = compared(read_report(one), read_report(other))
    output.table(("figure", one.name, other.name, "difference"), rows)
    output.document([dict(zip(("figure", "one", "other", "difference"), row, strict=True)) for row in rows])


def chosen(names: Sequence[str], *, everything: bool) -> list[Drill]:
    """The drills of these names. Raises BadInput for unknown ones, and for none."""
    if unknown := [name for name in names if name not in DRILLS]:
        raise BadInput(f"there is no drill {', '.join(unknown)}", where="NAME", next_step="`haplane drill list`")
    if everything == bool(names):
        raise BadInput("name the drills to run, or give --all, not both", next_step="`haplane drill list`")
    return [DRILLS[name] for name in names] if names else list(DRILLS.values())


def add(drill: Drill) -> None:
    """One command for each drill."""

    @command.command(drill.name, help=drill.summary)
    @inventory_argument
    @click.argument("host", required=False)
    @with_options
    @reports_errors
    def run(output: Output, inventory: str, host: str | None, **options: Any) -> ExitCode:
        return carried_out(output, inventory, [drill], host, Options(**options), all_that_can=False)


def carried_out(
    output: Output, inventory: str, drills: Sequence[Drill], host: str | None, options: Options, *, all_that_can: bool
) -> ExitCode:
    """Run them, present each report when it is there, write the files."""
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=options.assume_yes)
    several = len(drills) * options.repeat > 1
    if several and host is not None:
        raise BadInput("a HOST is for one run of one drill", where="HOST", next_step="leave out HOST or --repeat")
    hosts_named(loaded, [host] if host is not None else [])

    def confirm(announcement: str) -> bool:
        output.line(announcement)
        return options.assume_yes or agree_or_end(output, "Go ahead?")

    refuse_unwritable(options.report, options.junit)
    context = context_of(loaded, output.progress, forced=options.force)
    found: list[Report | Skipped] = []
    outcomes: Iterable[Report | Skipped] = ()
    try:
        if not several:
            one = carry_out(drills[0], context, host, in_cluster=options.in_cluster, confirm=confirm)
            outcomes = () if one is None else (one,)
        elif confirm("\n".join([SERIES, *(f"{drill.name}: {drill.summary}" for drill in drills)])):
            outcomes = series(drills, context, repeat=options.repeat, in_cluster=options.in_cluster)
        for each in outcomes:
            found.append(each)
            present(output, each)
            write_files(options, found)  # each time: a series may break off
    except HaplaneError as error:
        write_files(options, found, error)
        raise
    if options.report is not None and reports_of(found):
        output.line(f"report: {main_page(options.report, reports_of(found))}")
    documents = [document(each) for each in found]
    output.document(documents if several else next(iter(documents), None))
    return exit_code(found, all_that_can=all_that_can)


def exit_code(found: Sequence[Report | Skipped], *, all_that_can: bool) -> ExitCode:
    """DONE if all that were run held their limits, and none was left out, or with --all one was run."""
    ran = reports_of(found)
    complete = len(ran) == len(found) or (all_that_can and bool(ran))
    return ExitCode.DONE if complete and all(one.passed for one in ran) else ExitCode.INCOMPLETE


def write_files(options: Options, found: Sequence[Report | Skipped], broken: HaplaneError | None = None) -> None:
    """What --report and --junit name."""
    reports = reports_of(found)
    if options.report is not None and reports:
        write_reports(options.report, reports)
    if options.junit is not None:
        skipped = {one.drill: one.reason.what for one in found if isinstance(one, Skipped)}
        write_junit(options.junit, reports, skipped, broken)


def reports_of(found: Sequence[Report | Skipped]) -> list[Report]:
    """The reports of the drills that were run."""
    return [one for one in found if isinstance(one, Report)]


def document(one: Report | Skipped) -> dict[str, Any]:
    """What ``--json`` prints of one drill."""
    if isinstance(one, Report):
        return one.document()
    return {"drill": one.drill, "skipped": one.reason.document()}


def present(output: Output, one: Report | Skipped) -> None:
    """The short report."""
    if isinstance(one, Skipped):
        output.line(f"{one.drill}: not run; {one.reason.what} ({one.reason.why or one.reason.where})")
    else:
        output.table((f"{one.drill} {one.host}", "what clients of the endpoint saw", one.verdict), one.rows())


for each in DRILLS.values():
    add(each)
