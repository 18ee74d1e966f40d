"""Hosts rebooted one at a time: each out of service before, and back in full before the next."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.domain.plan import Kind
from haplane.observation.guard import refuse_unreachable
from haplane.observation.nodes import named_hosts, require_nodes
from haplane.observation.reboots import decide_reboots
from haplane.procedures.reboot import reboot_host


def decide_reboot(context: Context) -> None:
    """One step for each host, in the order in which they go. Raises as the drain's decision does."""
    hosts = named_hosts(context)
    refuse_unreachable(context, hosts)
    require_nodes(context)
    decide_reboots(context, hosts, Kind.REBOOT)


def reboot_hosts(context: Context) -> None:
    """In the plan's order."""
    for name in context.plan.hosts(Kind.REBOOT):
        reboot_host(context, context.inventory.host(name), "reboot")


DECIDE_REBOOT = Look("Decide which hosts are rebooted, and what that costs", decide_reboot)
REBOOT = Phase("Reboot hosts, one at a time", (Kind.REBOOT,), reboot_hosts)
