"""Hosts rebooted one at a time: each out of service before, and back in full before the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.deploys import etcd_recipes, recipes
from haplane.desired.hosts import units
from haplane.domain import host_paths
from haplane.domain.drain.cluster import Workloads
from haplane.domain.guard import Guard, may_restart_apiserver, may_restart_etcd, may_stop_balancer
from haplane.domain.outage_order import in_order
from haplane.domain.plan import Kind, Step
from haplane.domain.returned import missing_pods, missing_services
from haplane.errors import DeadlinePassed, HaplaneError, Unreachable
from haplane.observation.guard import refuse_unless
from haplane.observation.observe import observe_briefly
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.phases.node.costs import costs_of, nodes_among, refuse_deadlocks, refuse_losses
from haplane.phases.node.drain import drain_node, named_hosts, require_nodes, show, uncordon_own
from haplane.phases.node.node_api import cordon, look
from haplane.procedures.out_of_service import take_out, undrain

BOOT_SECONDS = 900.0
"""Bare metal with much memory needs minutes before it starts anything."""

SERVICE_SECONDS = 180.0
"""From sshd's first answer until everything of the host serves."""

SSH_SECONDS = 15
"""A host that is on answers at once; one that is booting takes no connections."""


def decide_reboot(context: Context) -> None:
    """One step for each host, in the order in which they go. Raises as the drain's decision does."""
    hosts = named_hosts(context)
    refuse_unreachable(context, hosts)
    require_nodes(context)
    costs = costs_of(context, [host.name for host in nodes_among(context, hosts)], ())
    refuse_deadlocks(context, costs)
    refuse_losses(context, costs)
    kept = context.request.node.keep_pods
    names = order(context, hosts)
    refuse_unsafe_now(context, context.inventory.host(names[0]))
    show(context, costs, [Step(Kind.REBOOT, name, why(context, name, kept=kept)) for name in names])


def order(context: Context, hosts: list[Host]) -> list[str]:
    """Of hosts that go out of service one after the other."""
    workers, balancers = (
        [host.name for host in group] for group in (context.inventory.workers, context.inventory.load_balancers)
    )
    names = [host.name for host in hosts]
    return in_order(names, context.observation.reports, workers=workers, balancers=balancers)


def why(context: Context, name: str, *, kept: bool) -> str:
    """What is done around the reboot."""
    host, inventory = context.inventory.host(name), context.inventory
    parts = []
    if host in inventory.nodes:
        parts.append("cordoned, its pods restart with it" if kept else "drained first")
    if host in inventory.masters:
        parts.append("its API server out of service meanwhile")
    if host in inventory.balancer_hosts:
        parts.append("the endpoint's address handed over first")
    return ", ".join(parts) or "its etcd member away meanwhile"


def refuse_unreachable(context: Context, hosts: list[Host]) -> None:
    """Raises Unreachable when one of them did not answer."""
    if lost := [host.name for host in hosts if host.name not in context.observation.reports]:
        raise Unreachable(
            f"{', '.join(lost)} cannot be reached; nothing was changed",
            why="; ".join(context.observation.unreachable.get(name, "no response") for name in lost),
            next_step="start it, or name the other hosts",
        )


def reboot_hosts(context: Context) -> None:
    """In the plan's order."""
    for name in context.plan.hosts(Kind.REBOOT):
        reboot_host(context, context.inventory.host(name), "reboot")


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


def refuse_unsafe_now(context: Context, host: Host) -> None:
    """As :func:`refuse_unsafe`, for the first to go: nobody is asked about what cannot be done."""
    reports = context.observation.reports
    for group, guard in _guards(context, host):
        if not guard({other.name: reports.get(other.name) for other in group}, host.name).allowed:
            refuse_unless(context, host, group, guard)


def refuse_unsafe(context: Context, host: Host) -> None:
    """Raises Refused unless API servers, etcd and load balancers carry on without it, each looked at anew."""
    for group, guard in _guards(context, host):
        refuse_unless(context, host, group, guard)


def _guards(context: Context, host: Host) -> Iterator[tuple[tuple[Host, ...], Guard]]:
    """Whoever it shares a task with, and the rule of that."""
    inventory = context.inventory
    if host in inventory.masters:
        yield inventory.masters, may_restart_apiserver
    if host in inventory.etcd:
        yield inventory.etcd, may_restart_etcd
    if host in inventory.balancer_hosts:
        masters = {master.name for master in inventory.masters}
        yield inventory.balancer_hosts, partial(may_stop_balancer, masters=masters)


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


DECIDE_REBOOT = Look("Decide which hosts are rebooted, and what that costs", decide_reboot)
REBOOT = Phase("Reboot hosts, one at a time", (Kind.REBOOT,), reboot_hosts)
