"""Planned work on masters and members, one at a time, without a client noticing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import etcd_recipes, recipes
from haplane.domain.guard import Guard, may_restart_apiserver, may_restart_etcd
from haplane.domain.plan import Kind
from haplane.domain.quorum import Verdict
from haplane.errors import Refused, Unreachable
from haplane.observation.observe import observe_briefly
from haplane.observation.waiting import Obstacle, look_until_clear

LATE_SECONDS = 15.0
"""One that serves answers within that, also on a busy host."""

CONNECTION_DRAIN_SECONDS = 20
"""How long clients with busy connections have to receive an API server's GOAWAY and reconnect.

It sends GOAWAY with one in 50 responses (goaway-chance), and during the 4 s of its shutdown-delay-duration. A
request over an old connection after that may get a 503: one in 180,000 clients with 25 requests a second has received
no GOAWAY by then, one in 11 of those with 5 a second. Without busy connections the drain takes 2 s.
"""

KUBELET_CLIENT = "apiserver-kubelet-client"


def restart_control_planes(context: Context) -> None:
    """Take up a changed configuration: drained, restarted, ready again, back in service, then the next."""
    for host in context.hosts(Kind.CONTROL_PLANE):
        restart_control_plane(context, host, renew=context.plan.items(host.name, Kind.CERTIFICATES))


def restart_control_plane(
    context: Context,
    host: Host,
    *,
    renew: tuple[str, ...] = (),
    before: Callable[[], None] | None = None,
    guard: Guard = may_restart_apiserver,
) -> None:
    """One master's, behind the guard. ``renew``: kubeadm's certificates that are renewed before.

    ``before`` is called while the API server serves and gets no new connections any more.
    """
    refuse_unless(context, host, context.inventory.masters, guard)
    if KUBELET_CLIENT in renew and context.has_ready_api_server():
        context.deploy([context.some_master()], recipes.bind_kubelet_admin)
    with out_of_service(context, host):
        wait_for_connection_drain(context, host)
        if before is not None:
            before()
        start_control_plane_anew(context, host, renew=renew)


def start_control_plane_anew(context: Context, host: Host, *, renew: tuple[str, ...] = ()) -> None:
    """The control plane of a master that gets no new connections."""
    context.deploy(
        [host],
        recipes.restart_control_plane,
        port=_port(context),
        renew=renew,
    )


def restart_controllers(context: Context) -> None:
    """Where nobody leads, one after the other; each is healthy before the next ends."""
    for host in context.hosts(Kind.LEAD):
        for component in context.plan.items(host.name, Kind.LEAD):
            context.deploy([host], recipes.restart_controller, component=component)


def serve_kubelets(context: Context) -> None:
    """All at once: nothing is out of service meanwhile. Before API servers verify what kubelets show."""
    context.deploy(context.hosts(Kind.SERVING), recipes.serve_kubelet)


def configure_kubelets(context: Context) -> None:
    """One after the other: a setting that a kubelet does not take stops here, with the others as they were."""
    for host in context.hosts(Kind.KUBELET_CONFIG):
        context.deploy([host], recipes.configure_kubelet)


def restart_members(context: Context) -> None:
    """Each reads through quorum again, and its API server is ready again, before the next."""
    for host in context.hosts(Kind.ETCD):
        restart_member(context, host)


def restart_member(
    context: Context,
    host: Host,
    *,
    before: Callable[[], None] | None = None,
    guard: Guard = may_restart_etcd,
) -> None:
    """One, behind the guard. ``before`` is called when its master's API server has no connections any more.

    That has no etcd but the one beside it, and etcd waits 7 s for watches when it ends: requests would wait as long.
    """
    refuse_unless(context, host, (*context.inventory.etcd, *context.inventory.leaving), guard)
    with out_of_service(context, host):
        wait_for_connection_drain(context, host)
        if before is not None:
            before()
        context.deploy([host], etcd_recipes.restart_etcd)
        if host in context.inventory.masters:
            context.deploy([host], recipes.wait_for_apiserver, port=_port(context))


def undrain_servers(context: Context) -> None:
    """Servers that an interrupted run left drained."""
    for name in dict.fromkeys(item for step in context.plan.of(Kind.UNDRAIN) for item in step.items):
        hosts = [host for host in context.hosts(Kind.UNDRAIN) if name in context.plan.items(host.name, Kind.UNDRAIN)]
        context.deploy(hosts, recipes.undrain_server, server=name)


@contextmanager
def out_of_service(context: Context, host: Host) -> Iterator[None]:
    """No load balancer sends the master's API server new connections meanwhile.

    After an error it stays drained, because it may not be ready: the next ``up`` puts it back when it is.
    """
    drain(context, host)
    yield
    undrain(context, host)


def take_out(context: Context, host: Host) -> None:
    """Out of service for longer: drained, and its API server gone until :func:`put_back`.

    Ended in between, the next ``up`` finds the moved manifest and puts it back.
    """
    drain(context, host)
    wait_for_connection_drain(context, host)
    context.deploy([host], recipes.take_out_control_plane)


def put_back(context: Context, host: Host) -> None:
    """Its API server started and ready, then back in service."""
    context.deploy([host], recipes.put_back_control_plane, port=_port(context))
    undrain(context, host)


def drain(context: Context, host: Host) -> None:
    """A master's API server gets no new connections; a host without one is left alone."""
    context.deploy(_balancers(context, host), recipes.drain_server, server=f"apiservers/{host.name}")


def undrain(context: Context, host: Host) -> None:
    """What :func:`drain` did, undone."""
    context.deploy(_balancers(context, host), recipes.undrain_server, server=f"apiservers/{host.name}")


def wait_for_connection_drain(context: Context, host: Host) -> None:
    """Between :func:`drain` and the end of an API server."""
    context.deploy(
        _balancers(context, host),
        recipes.wait_for_connection_drain,
        address=str(host.address),
        port=_port(context),
        seconds=CONNECTION_DRAIN_SECONDS,
    )


def _balancers(context: Context, host: Host) -> list[Host]:
    return context.reachable(context.inventory.balancer_hosts) if host in context.inventory.masters else []


def refuse_unless(context: Context, host: Host, group: tuple[Host, ...], guard: Guard) -> None:
    """Raises Refused unless the guard allows that this one of the group goes out of service now.

    Raises Unreachable when it or another of the group went away by itself meanwhile: who comes next would be a second
    one out. One that answered too late on a busy host is looked at again for LATE_SECONDS.
    """
    known = set(context.observation.unreachable)

    def look(context: Context) -> None:
        observe_briefly(context)
        _refuse_lost(context, host, group, known)

    def verdict() -> Verdict:
        return guard({other.name: context.observation.reports.get(other.name) for other in group}, host.name)

    def obstacle() -> Obstacle | None:
        found = verdict()
        return None if found.allowed else Obstacle(host.name, f"waiting: {found.arithmetic}")

    look(context)
    if look_until_clear(context, obstacle, LATE_SECONDS, look=look):
        raise Refused(
            f"{host.name} must not be taken out of service now",
            why=verdict().arithmetic,
            next_step="bring the others back first (`haplane status INVENTORY` names them), then run again",
        )


def _refuse_lost(context: Context, host: Host, group: tuple[Host, ...], known: set[str]) -> None:
    unreachable = context.observation.unreachable
    if gone := [one for one in group if one.name in unreachable and (one == host or one.name not in known)]:
        names = ", ".join(one.name for one in gone)
        raise Unreachable(
            f"{names} cannot be reached any more; nothing else was taken out of service",
            where=names,
            why="; ".join(unreachable[one.name] for one in gone),
            next_step="check that it is on and that ssh to it works, then run the same command again",
        )


def _port(context: Context) -> int:
    return context.inventory.cluster.apiserver_port


RESTART_ETCD = Phase("Restart etcd members, one at a time", (Kind.ETCD,), restart_members)
RESTART_CONTROL_PLANES = Phase(
    "Restart control planes, one at a time", (Kind.CERTIFICATES, Kind.CONTROL_PLANE), restart_control_planes
)
RESTART_CONTROLLERS = Phase(
    "Restart schedulers and controller managers that do not lead, one at a time", (Kind.LEAD,), restart_controllers
)
SERVE_KUBELETS = Phase("Load serving certificates of kubelets", (Kind.SERVING,), serve_kubelets)
CONFIGURE_KUBELETS = Phase("Configure kubelets, one at a time", (Kind.KUBELET_CONFIG,), configure_kubelets)
UNDRAIN_SERVERS = Phase("Put servers back into service", (Kind.UNDRAIN,), undrain_servers)
