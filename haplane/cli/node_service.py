"""``haplane node drain|uncordon|reboot|patch|remove``: hosts taken out of service and brought back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict, Unpack

import click

from haplane.cli.output import Output
from haplane.cli.plan import agreement, show_plan, show_what_is_left
from haplane.cli.run import (
    by_a_plan,
    examples,
    hosts_argument,
    inventory_argument,
    load,
    refuse_to_ask,
    required_hosts_argument,
)
from haplane.context.request import NodeRequest
from haplane.context.result import Patched
from haplane.domain.drain.grace import LONGEST_SECONDS
from haplane.errors import BadInput, ExitCode
from haplane.workflows import node

DEFAULTS = NodeRequest()
PAST = {"drain": "drained", "reboot": "rebooted", "remove": "drained"}


def _number(option: click.Parameter, value: float) -> float:
    """Click's range lets nan pass: it is neither too small nor too large."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number of seconds.", param=option)
    return value


force_option = click.option("--force", is_flag=True, help="Continue even if pods or data would be lost or disturbed.")
timeout_option = click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1, LONGEST_SECONDS),
    callback=lambda _, option, value: _number(option, value),
    default=DEFAULTS.drain_seconds,
    show_default=True,
    metavar="SECONDS",
    help="Deadline for draining one node.",
)
keep_option = click.option(
    "--keep-pods", is_flag=True, help="Do not drain: pods restart with the host and keep their names."
)
all_option = click.option("--all", "everyone", is_flag=True, help="All hosts of INVENTORY, one at a time.")


@click.command(
    "drain",
    short_help="Cordon hosts and evict their pods.",
    epilog=examples("haplane node drain inventories/prod.py w1 --dry-run"),
)
@inventory_argument
@required_hosts_argument
@force_option
@timeout_option
@by_a_plan
def drain(
    output: Output,
    inventory: str,
    hosts: tuple[str, ...],
    *,
    force: bool,
    seconds: float,
    dry_run: bool,
    assume_yes: bool,
) -> ExitCode:
    """Cordon each HOST and evict its pods, one node at a time.

    First lists what the drain costs each pod. Respects PodDisruptionBudgets, and refuses at once if one can never be
    met.
    """
    asked = NodeRequest(force=force, drain_seconds=seconds)
    return _run(output, inventory, "drain", hosts, asked, dry_run=dry_run, assume_yes=assume_yes)


@click.command("uncordon", epilog=examples("haplane node uncordon inventories/prod.py w1"))
@inventory_argument
@hosts_argument
@all_option
@by_a_plan
def uncordon(
    output: Output, inventory: str, hosts: tuple[str, ...], *, everyone: bool, dry_run: bool, assume_yes: bool
) -> ExitCode:
    """Allow new pods on each HOST again."""
    chosen = _chosen(inventory, hosts, everyone=everyone)
    return _run(output, inventory, "uncordon", chosen, DEFAULTS, dry_run=dry_run, assume_yes=assume_yes)


class InTurn(TypedDict):
    """The options of what takes hosts out of service one at a time."""

    everyone: bool
    keep_pods: bool
    force: bool
    seconds: float
    dry_run: bool
    assume_yes: bool


def in_turn(command: Callable[..., ExitCode]) -> Callable[..., None]:
    """The arguments of such a command."""
    wrapped = by_a_plan(command)
    for option in (timeout_option, force_option, keep_option, all_option):
        wrapped = option(wrapped)
    return inventory_argument(hosts_argument(wrapped))


def _run_in_turn(output: Output, inventory: str, verb: str, hosts: tuple[str, ...], options: InTurn) -> ExitCode:
    asked = NodeRequest(force=options["force"], keep_pods=options["keep_pods"], drain_seconds=options["seconds"])
    chosen = _chosen(inventory, hosts, everyone=options["everyone"])
    asks = {"dry_run": options["dry_run"], "assume_yes": options["assume_yes"]}
    return _run(output, inventory, verb, chosen, asked, **asks)


@click.command(
    "reboot",
    short_help="Drain and reboot hosts, one at a time.",
    epilog=examples(
        "haplane node reboot inventories/prod.py m2 --dry-run", "haplane node reboot inventories/prod.py --all"
    ),
)
@in_turn
def reboot(output: Output, inventory: str, hosts: tuple[str, ...], **options: Unpack[InTurn]) -> ExitCode:
    """Drain and reboot each HOST, one at a time; the next one only when everything on it runs again.

    First lists what that costs each pod. A load balancer hands the endpoint's address over before. A master is
    rebooted only while etcd keeps quorum without it.
    """
    return _run_in_turn(output, inventory, "reboot", hosts, options)


@click.command(
    "patch",
    short_help="Upgrade the packages of hosts, one at a time.",
    epilog=examples("haplane node patch inventories/prod.py --all"),
)
@in_turn
def patch(output: Output, inventory: str, hosts: tuple[str, ...], **options: Unpack[InTurn]) -> ExitCode:
    """Upgrade the packages of each HOST, one at a time, and reboot it as `node reboot` does if they require it.

    Only the distribution's packages: Kubernetes, etcd and containerd come from the bundle and are not changed.
    """
    return _run_in_turn(output, inventory, "patch", hosts, options)


@click.command(
    "remove",
    short_help="Remove workers or masters from the cluster.",
    epilog=examples("haplane node remove inventories/prod.py w3 --dry-run"),
)
@inventory_argument
@required_hosts_argument
@force_option
@timeout_option
@by_a_plan
def remove(
    output: Output,
    inventory: str,
    hosts: tuple[str, ...],
    *,
    force: bool,
    seconds: float,
    dry_run: bool,
    assume_yes: bool,
) -> ExitCode:
    """Remove each HOST, a worker or master, from the cluster: drain it, delete its Node, move its keys and data.

    3 or 5 masters must remain. Delete the lines of these hosts from INVENTORY afterwards.
    """
    asked = NodeRequest(force=force, drain_seconds=seconds)
    return _run(output, inventory, "remove", hosts, asked, dry_run=dry_run, assume_yes=assume_yes)


def _lines_of(inventory: str, hosts: tuple[str, ...]) -> str:
    """Where the file names them, as FILE:LINE."""
    text = Path(inventory).read_text(encoding="utf-8", errors="replace").splitlines()
    found = [str(at) for at, line in enumerate(text, 1) if any(f'"{name}"' in line for name in hosts)]
    return ", ".join(f"{inventory}:{at}" for at in found) or inventory


def _chosen(inventory: str, hosts: tuple[str, ...], *, everyone: bool) -> tuple[str, ...]:
    """The hosts, none for all. Raises BadInput unless either was given."""
    if everyone == bool(hosts):
        raise BadInput(
            "give either HOST or --all",
            where=inventory,
            next_step="name the hosts, or add --all for all of them, one at a time",
        )
    return hosts


def _run(
    output: Output,
    inventory: str,
    verb: str,
    hosts: tuple[str, ...],
    asked: NodeRequest,
    *,
    dry_run: bool,
    assume_yes: bool,
) -> ExitCode:
    loaded = load(output, inventory)
    refuse_to_ask(output, assume_yes=assume_yes or dry_run)
    confirm = agreement(output, assume_yes=assume_yes)
    outcome = node.node(loaded, verb, hosts, asked, confirm=confirm, dry_run=dry_run, progress=output.progress)
    if dry_run or not outcome.plan:
        show_plan(output, outcome.plan, nothing="Nothing to do.")
    output.document(
        {
            "changed": outcome.changed,
            "dry_run": dry_run,
            "plan": outcome.plan,
            "costs": [
                {"node": one.node, "pods": [asdict(cost) | {"effect": cost.effect.value} for cost in one.costs]}
                for one in outcome.costs
            ],
            "seconds": {name: round(took, 1) for name, took in outcome.seconds.items()},
            "patched": {name: asdict(one) for name, one in outcome.patched.items()},
            "warnings": outcome.warnings,
        }
    )
    for name, took in outcome.seconds.items():
        done = _patched(outcome.patched[name]) if name in outcome.patched else PAST[verb]
        output.line(f"{name}: {done} in {took:.0f} s")
    if verb == "remove" and outcome.changed:
        output.line(f"next: delete {', '.join(hosts)} in {_lines_of(inventory, hosts)}")
    show_what_is_left(output, outcome)
    for problem in outcome.status.problems if outcome.status else ():
        output.warn(f"not healthy: {problem}")
    return ExitCode.DONE if dry_run else outcome.exit_code


def _patched(patched: Patched) -> str:
    count = len(patched.packages)
    return f"{count} {'package' if count == 1 else 'packages'} upgraded{', rebooted' if patched.rebooted else ''}"
