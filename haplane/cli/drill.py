"""``haplane drill``: outages on purpose."""

from __future__ import annotations

import click

from haplane.cli.output import Output
from haplane.cli.run import agree, inventory_argument, json_option, refuse_to_ask, reports_errors, yes_option
from haplane.config.load import load_inventory
from haplane.drills.catalog import STORIES
from haplane.drills.report import Report
from haplane.drills.run import decide
from haplane.drills.story import Story
from haplane.errors import ExitCode
from haplane.workflows.drill import drill as carry_out
from haplane.workflows.drill import scene


@click.group()
def command() -> None:
    """Break one thing on a live cluster, on purpose, and measure what clients notice."""


@command.command("list")
@json_option
@reports_errors
def list_stories(output: Output) -> None:
    """Show every drill."""
    output.table(("drill", "what it does"), [(story.name, story.summary) for story in STORIES.values()])
    output.document([{"name": story.name, "summary": story.summary} for story in STORIES.values()])


def add(story: Story) -> None:
    """One command for each story."""

    @command.command(story.name, help=story.summary)
    @inventory_argument
    @click.argument("host", required=False)
    @click.option("--in-cluster", is_flag=True, help="Look from inside a pod on a surviving master as well.")
    @yes_option
    @json_option
    @reports_errors
    def drill(output: Output, inventory: str, host: str | None, *, in_cluster: bool, assume_yes: bool) -> ExitCode:
        loaded = load_inventory(inventory)
        refuse_to_ask(output, assume_yes=assume_yes)
        stage = scene(loaded, output.progress)
        fault = decide(story, stage, host)
        output.line(f"This drill is an outage on purpose. {fault.announcement}")
        output.line("Clients are expected to notice nothing for longer than a few seconds, and no write may be lost.")
        if not assume_yes and not agree("Go ahead?"):
            return ExitCode.DONE
        report = carry_out(story, stage, fault, in_cluster=in_cluster)
        present(output, report)
        return ExitCode.DONE if report.passed else ExitCode.INCOMPLETE


def present(output: Output, report: Report) -> None:
    """The short report, or the document."""
    output.table((f"{report.drill} {report.host}", "what clients of the endpoint saw"), report.rows())
    output.document(report.document())


for each in STORIES.values():
    add(each)
