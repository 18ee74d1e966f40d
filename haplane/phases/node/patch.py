"""Hosts' own packages upgraded one host at a time, each rebooted where that needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.context.result import Patched
from haplane.deploys import recipes
from haplane.domain.plan import Kind
from haplane.errors import Refused
from haplane.observation.guard import refuse_unreachable, refuse_unsafe
from haplane.observation.nodes import named_hosts, nodes_among, require_nodes
from haplane.observation.observe import observe_briefly
from haplane.observation.reboots import decide_reboots
from haplane.observation.workloads import look
from haplane.platforms import PLATFORMS
from haplane.procedures.node_api import CORDONED
from haplane.procedures.reboot import hand_over_address, reboot_host
from haplane.scripts import script

UPGRADE_SECONDS = 1800
"""300 s for locks of apt and dpkg; a release's worth of packages over a slow line takes minutes."""

MOST_PACKAGES = 5000
REBOOT = "reboot"


def decide_patch(context: Context) -> None:
    """One step for each host. Whether it is rebooted shows only once it is upgraded, so that is counted in."""
    hosts = named_hosts(context)
    refuse_unreachable(context, hosts)
    require_nodes(context)
    for host in hosts:
        _script(context, host)
    decide_reboots(context, hosts, Kind.PATCH)


def _script(context: Context, host: Host) -> str:
    """What upgrades its packages. Raises Refused for a distribution that haplane does not know."""
    os_id = context.report(host).machine.os_id
    platform = PLATFORMS.of(os_id)
    if platform is None:
        raise Refused(
            f"{host.name}: its distribution {os_id} is not known, so its packages are not upgraded",
            why=f"haplane knows {PLATFORMS.supported}",
            next_step=f"upgrade them by hand, then `haplane node reboot {context.inventory.path} {host.name}`",
        )
    return platform.upgrade_script


def patch_hosts(context: Context) -> None:
    """In the plan's order."""
    for name in context.plan.hosts(Kind.PATCH):
        _patch(context, context.inventory.host(name))


def _patch(context: Context, host: Host) -> None:
    """An upgrade may restart haproxy or keepalived: another load balancer has the address meanwhile."""
    began = context.executor.monotonic()
    observe_briefly(context)
    refuse_unreachable(context, [host])
    refuse_unsafe(context, host)
    with _without_the_address(context, host):
        lines = _upgraded(context, host)
    rebooted = lines[:1] == [REBOOT]
    context.result.patched[host.name] = Patched(packages=tuple(lines[rebooted:]), rebooted=rebooted)
    if rebooted or _was_interrupted(context, host):
        reboot_host(context, host, "patch")
    context.result.seconds[host.name] = context.executor.monotonic() - began


@contextmanager
def _without_the_address(context: Context, host: Host) -> Iterator[None]:
    """It is a load balancer again afterwards, however that went."""
    if host not in context.inventory.balancer_hosts:
        yield
        return
    hand_over_address(context, host)
    try:
        yield
    finally:
        context.deploy([host], recipes.take_part)


def _upgraded(context: Context, host: Host) -> list[str]:
    context.progress(host.name, "upgrading packages")
    command = ("sh", "-c", script(_script(context, host)))
    printed = context.executor.run(host, *command, deadline_seconds=UPGRADE_SECONDS).decode(errors="replace")
    return printed.splitlines()[:MOST_PACKAGES]


def _was_interrupted(context: Context, host: Host) -> bool:
    """Whether an earlier run had cordoned it for the reboot that it owes: its packages are new by now."""
    if not nodes_among(context, [host]):
        return False
    return any(node.metadata.annotations.get(CORDONED) == "patch" for node in look(context, host.name).nodes)


DECIDE_PATCH = Look("Decide which hosts are upgraded, and what a reboot costs", decide_patch)
PATCH = Phase("Upgrade packages, one host at a time", (Kind.PATCH,), patch_hosts)
