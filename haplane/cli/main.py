"""The command line: parses, calls one workflow, presents. No decision is made here."""

from __future__ import annotations

import importlib
import importlib.util

import click

import haplane

COMMANDS = ("up", "status", "verify", "bundle", "lab", "drill", "reset", "snapshot", "restore", "node", "keys")


class Lazy(click.Group):
    """Imports a verb's module (and with it boto3, pytest, ...) only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"haplane.cli.{cmd_name}")
        command: click.Command = module.command
        return command


def _exists(name: str) -> bool:
    return importlib.util.find_spec(f"haplane.cli.{name}") is not None


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(haplane.__version__, prog_name="haplane")
def cli() -> None:
    """Highly available kubeadm control planes: stood up, looked after, and proven by killing masters."""
