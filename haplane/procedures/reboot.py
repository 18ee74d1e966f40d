"""A host rebooted: out of service before, and back in full afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys import etcd_recipes, recipes
from haplane.desired.hosts import units
from haplane.domain import host_paths
from haplane.domain.drain.cluster import Workloads
from haplane.domain.returned import missing_pods, missing_services
from haplane.errors import DeadlinePassed, HaplaneError, Unreachable
from haplane.observation.guard import refuse_unsafe
from haplane.observation.nodes import nodes_among, require_nodes
from haplane.observation.observe import observe_briefly
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.observation.workloads import look
from haplane.procedures.drain_node import drain_node, uncordon_own
from haplane.procedures.node_api import cordon
from haplane.procedures.out_of_service import take_out, undrain

BOOT_SECONDS = 900.0
"""Bare metal with much memory needs minutes before it starts anything."""

SERVICE_SECONDS = 180.0
"""From sshd's first answer until everything of the host serves."""

SSH_SECONDS = 15
"""A host that is on answers at once; one that is booting takes no connections."""


def reboot_host(context: Context, host: Host, verb: str) -> None:
    """One, out of service and back. ``verb`` is noted on its Node.

    Raises Refused when it must not go now, DeadlinePassed when it does not come back in full.
    """
    began = context.executor.monotonic()
    refuse_unsafe(context, host)
    before = _empty(context, host, verb)
    if before is not None:  # a drain takes minutes, in which another may have failed
        refuse_unsafe(context, host)
    try:
        leave_service(context, host)
        boot_id = restart(context, host)
        _return(context, host, boot_id, before)
    except HaplaneError:
        context.progress(host.name, f"left out of service; `haplane up {context.inventory.path}` brings it back")
        raise
    if before is not None:
        uncordon_own(context, host, verb)
    context.result.seconds[host.name] = context.executor.monotonic() - began


def _empty(context: Context, host: Host, verb: str) -> Workloads | None:
    """Its Node and pods once it is drained, or cordoned; None for a host without a Node.

    Raises Unreachable while no API server reports nodes: the host may have one.
    """
    if host not in context.inventory.nodes:
        return None
    require_nodes(context)
    if not nodes_among(context, [host]):
        return None
    if context.request.node.keep_pods:
        cordon(context, host.name, verb)
    else:
        drain_node(context, host, verb, out=())
    return look(context, host.name)


def leave_service(context: Context, host: Host) -> None:
    """The endpoint's address, etcd's leadership, the API server: whatever of these is on it.

    The kubelet ends before the host: its graceful shutdown would end pods for good that are to restart.
    """
    inventory = context.inventory
    if host in inventory.balancer_hosts:
        hand_over_address(context, host)
    if host in inventory.etcd:
        context.deploy([host], etcd_recipes.hand_over)
    if host in inventory.masters:
        take_out(context, host)
    if host in inventory.nodes:
        context.deploy([host], recipes.let_boot_start)


def hand_over_address(context: Context, host: Host) -> None:
    """To another load balancer; keepalived stays down until the host boots or it is started."""
    interface = context.report(host).interface_of(str(host.address))
    if interface is None:
        raise HaplaneError(f"{host.name}: no interface has its address {host.address}", next_step="re-run")
    address = context.inventory.cluster.endpoint.address
    context.deploy([host], recipes.hand_over_address, address=address, interface=interface)


def restart(context: Context, host: Host) -> str:
    """Reboot it, and wait for it by its boot's id, which is returned.

    Raises DeadlinePassed when it does not answer over SSH in BOOT_SECONDS.
    """
    before = _boot_id(context, host)
    with context.lock.away(host):
        context.progress(host.name, "rebooting")
        with suppress(Unreachable):  # it may be down before it has answered
            context.executor.run(host, "systemctl", "--no-block", "reboot")
        found = before

        def booting() -> Obstacle | None:
            return Obstacle(host.name, "rebooting") if found == before else None

        def ask(context: Context) -> None:
            nonlocal found
            with suppress(HaplaneError):
                found = _boot_id(context, _directly(host))

        if look_until_clear(context, booting, BOOT_SECONDS, look=ask):
            raise DeadlinePassed(
                f"{host.name} did not come back within {BOOT_SECONDS:.0f} s after its reboot",
                where=host.name,
                why="it does not accept SSH logins, or still runs the boot from before",
                next_step="look at its console; once it is up: "
                f"`haplane up {context.inventory.path}`, then `haplane node uncordon` for it",
            )
    return found


def _boot_id(context: Context, host: Host) -> str:
    return context.executor.run(host, "cat", host_paths.BOOT_ID, deadline_seconds=SSH_SECONDS).decode().strip()


def _directly(host: Host) -> Host:
    """Not through the run's shell: a boot removes that. For reading only."""
    return host.model_copy(update={"ssh": host.ssh.model_copy(update={"shell": None})})


def _return(context: Context, host: Host, boot_id: str, before: Workloads | None) -> None:
    """Wait for its services, put its API server back into service, then wait for its pods."""
    inventory = context.inventory
    master, member = host in inventory.masters, host in inventory.etcd

    def serving() -> Obstacle | None:
        report = context.observation.reports.get(host.name)
        missing = missing_services(report, units(inventory, host), master=master, member=member)
        return Obstacle(host.name, missing) if missing else None

    observe_briefly(context)
    _wait(context, host, serving, observe_briefly)
    if master:
        context.deploy([host], recipes.wait_for_controllers)
        undrain(context, host)
    if before is not None:
        _wait_for_pods(context, host, boot_id, before)


def _wait_for_pods(context: Context, host: Host, boot_id: str, before: Workloads) -> None:
    found = look(context, host.name)

    def ready() -> Obstacle | None:
        missing = missing_pods(found, boot_id, before, kept=context.request.node.keep_pods)
        return Obstacle(host.name, missing) if missing else None

    def look_again(context: Context) -> None:
        nonlocal found
        found = look(context, host.name)

    _wait(context, host, ready, look_again)


def _wait(
    context: Context, host: Host, obstacle: Callable[[], Obstacle | None], again: Callable[[Context], None]
) -> None:
    """Raises DeadlinePassed with what is still missing."""
    path = context.inventory.path
    node = bool(nodes_among(context, [host]))
    cordoned = f"; then `haplane node uncordon {path} {host.name}`: it stays cordoned" if node else ""
    if missing := look_until_clear(context, obstacle, SERVICE_SECONDS, look=again):
        raise DeadlinePassed(
            f"{host.name} has rebooted, and is not back in full after {SERVICE_SECONDS:.0f} s",
            where=host.name,
            why=missing.message,
            next_step=f"`haplane status {path}` shows why; `haplane up {path}` brings it back{cordoned}",
        )
