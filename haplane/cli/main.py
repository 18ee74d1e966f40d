"""The command line: parses, calls one workflow, presents. No decision is made here."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

import haplane
from haplane.cli.output import Output
from haplane.errors import BadInput

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Cluster": {
        "up": "Create, repair or change a cluster to match its inventory.",
        "status": "Show masters, etcd members, endpoint, snapshots, certificates.",
        "verify": "Check a cluster against its inventory.",
        "reset": "Remove a cluster from its hosts; data and keys stay there.",
    },
    "Day two": {
        "upgrade": "Upgrade a cluster to another Kubernetes version.",
        "node": "Drain, reboot, patch, remove or repair hosts, one at a time.",
        "certs": "List every certificate, or renew them.",
        "keys": "Create age identities; rotate the cluster's keys.",
    },
    "Backup": {
        "snapshot": "Take, list, verify and prune etcd snapshots.",
        "restore": "Restore etcd from a snapshot (last resort).",
    },
    "Try it": {
        "lab": "Create hosts on this machine; cut their power and links.",
        "drill": "Cause one real outage and measure what clients notice.",
    },
    "Binaries and images": {
        "bundle": "Build, pin, move and verify what is installed on hosts.",
    },
}
"""The verbs by task, in the order of the help. A verb's module is ``haplane.cli.VERB``."""

EPILOG = """\b
Exit codes: 0 done, 1 unexpected failure, 2 bad input, 3 host unreachable,
4 refused as unsafe, 5 locked by another run, 6 incomplete or not healthy,
7 deadline passed.
"""


class Verbs(click.Group):
    """Imports a verb's module (and with it boto3, pytest, ...) only when that verb is called."""

    def make_context(self, info_name: str | None, args: list[str], *others: Any, **extra: Any) -> click.Context:
        with usage_error_as_document(tuple(args)):
            return super().make_context(info_name, args, *others, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with usage_error_as_document(tuple(ctx.args)):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for verbs in GROUPS.values() for name in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"haplane.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(len(name) for name in self.list_commands(ctx))
        for task, verbs in GROUPS.items():
            with formatter.section(task):
                formatter.write_dl([(name.ljust(longest), summary) for name, summary in verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click's, from the summaries above: a TAB imports no verb."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        summaries = {name: summary for verbs in GROUPS.values() for name, summary in verbs.items()}
        verbs = [CompletionItem(name, help=text) for name, text in summaries.items() if name.startswith(incomplete)]
        return [*verbs, *options]


@contextlib.contextmanager
def usage_error_as_document(args: Sequence[str]) -> Iterator[None]:
    """Print a usage error as a document too where --json is among ``args``; click shows it to people, and exits."""
    try:
        yield
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else None
        shown = BadInput(
            error.format_message(), where=command, next_step=f"see `{command} --help`" if command else None
        )
        Output(as_json="--json" in itertools.takewhile(lambda word: word != "--", args)).failure(shown)
        raise


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(haplane.__version__, prog_name="haplane")
def cli() -> None:
    """Highly available kubeadm control planes with verified etcd snapshots.

    Most verbs take an INVENTORY file: see inventories/prod.py.
    """
