"""``haplane lab``: hosts made on this machine, and their power switches and cables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from haplane.cli.output import Output
from haplane.cli.run import (
    Commands,
    hosts_argument,
    inventory_argument,
    json_option,
    load,
    reports_errors,
    required_hosts_argument,
)
from haplane.lab import lifecycle
from haplane.lab.disk import PARTS
from haplane.lab.identity import login_command
from haplane.lab.plan import plan
from haplane.lab.status import status as host_states

PART_NAMES = ", ".join(sorted(PARTS))
between_option = click.option("--between", is_flag=True, help="Only the link between two hosts.")


@click.group(cls=Commands)
def command() -> None:
    """Create hosts (containers or virtual machines) on this machine; cut their power and links. No HOST means all."""


def verb(function: Callable[..., Any]) -> click.Command:
    """A command that takes an inventory and hosts."""
    return command.command()(inventory_argument(hosts_argument(reports_errors(function))))


@verb
def up(output: Output, inventory: str, hosts: tuple[str, ...]) -> None:
    """Create hosts and power them on; safe to repeat."""
    loaded = load(output, inventory)
    lifecycle.up(loaded, output.progress, hosts)
    first = plan(loaded).select(hosts)[0]
    output.line(f"{_up(len(plan(loaded).select(hosts)))}. To log in to one:")
    output.line(f"  {login_command(first)}")


@command.command()
@inventory_argument
@reports_errors
def down(output: Output, inventory: str) -> None:
    """Remove the whole lab, disks included; the base image stays."""
    lifecycle.down(load(output, inventory), output.progress)


@command.command()
@inventory_argument
@json_option
@reports_errors
def status(output: Output, inventory: str) -> None:
    """Show what each host is doing."""
    states = host_states(load(output, inventory))
    rows = [(one.name, one.address, one.state, one.pid, "yes" if one.ssh_answers else "no") for one in states]
    output.table(("host", "address", "state", "pid", "ssh"), rows)
    output.document({"hosts": [asdict(one) for one in states]})


@verb
def kill(output: Output, inventory: str, hosts: tuple[str, ...]) -> None:
    """Cut the power of hosts; their disks stay."""
    lifecycle.kill(load(output, inventory), hosts)
    output.line(f"{_named(hosts)}: off")


@command.command()
@inventory_argument
@hosts_argument
@click.option(
    "--days-later", type=click.IntRange(0), metavar="DAYS", help="Set their clocks this far ahead of this machine's."
)
@reports_errors
def start(output: Output, inventory: str, hosts: tuple[str, ...], days_later: int | None) -> None:
    """Power on hosts that are off, and wait until they respond."""
    ahead = None if days_later is None else timedelta(days=days_later)
    lifecycle.start(load(output, inventory), hosts, output.progress, clock_ahead=ahead)


@command.command()
@inventory_argument
@click.argument("host")
@click.option(
    "--lines", type=click.IntRange(1), default=40, show_default=True, metavar="N", help="Show the last N lines."
)
@reports_errors
def console(output: Output, inventory: str, host: str, lines: int) -> None:
    """Show what a host printed on its console since it was powered on."""
    for line in lifecycle.console(load(output, inventory), host, lines).splitlines():
        output.line(line)


@command.command()
@inventory_argument
@hosts_argument
@between_option
@reports_errors
def cut(output: Output, inventory: str, hosts: tuple[str, ...], between: bool) -> None:
    """Unplug hosts, or cut the link between two."""
    lifecycle.cut(load(output, inventory), hosts, between=between)
    output.line(f"{_named(hosts)}: {'no longer reach each other' if between else 'unplugged'}")


@command.command()
@inventory_argument
@hosts_argument
@between_option
@reports_errors
def heal(output: Output, inventory: str, hosts: tuple[str, ...], between: bool) -> None:
    """Plug hosts in again and restore their links."""
    lifecycle.heal(load(output, inventory), hosts, between=between)
    output.line(f"{_named(hosts)}: connected")


@command.command()
@inventory_argument
@required_hosts_argument
@click.option(
    "--only",
    type=click.Choice(sorted(PARTS)),
    metavar="PART",
    help=f"Only this part of the disk: {PART_NAMES}.",
)
@reports_errors
def wipe(output: Output, inventory: str, hosts: tuple[str, ...], only: str | None) -> None:
    """Destroy the disks of hosts that are off."""
    lifecycle.wipe(load(output, inventory), hosts, only)
    output.line(f"{_named(hosts)}: {only or 'disk'} wiped")


def _up(number: int) -> str:
    return "1 host is up" if number == 1 else f"{number} hosts are up"


def _named(hosts: tuple[str, ...]) -> str:
    return ", ".join(hosts) or "all hosts"
