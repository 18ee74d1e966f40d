"""Planned work on masters and members, one at a time, without a client noticing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from haplane.config.model import Host
from haplane.deploys import recipes
from haplane.desired.files import KUBEADM_CONFIG
from haplane.domain.guard import may_restart_apiserver, may_restart_etcd
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind
from haplane.domain.quorum import Verdict
from haplane.errors import Refused, Unreachable
from haplane.phases.observe import observe
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy

PARTING_SECONDS = 20
"""What clients that ask often over a connection they keep have to hear an API server's good-bye and leave.

It says so with each 50th answer (goaway-chance), and for the 4 s of its shutdown-delay-duration besides. Who asks
over an old connection even then may get a 503: of those with 25 requests a second one in 180,000 has heard nothing,
of those with 5 a second one in 11. Where nobody asks often it takes 2 s.
"""

Guard = Callable[[dict[str, HostReport | None], str], Verdict]


def restart_control_planes(run: Run) -> None:
    """Take up a changed configuration: drained, restarted, ready again, back in service, then the next."""
    for host in run.hosts(Kind.CONTROL_PLANE):
        refuse_unless(run, host, run.inventory.masters, may_restart_apiserver)
        with out_of_service(run, host):
            let_clients_part(run, host)
            deploy(
                [host],
                recipes.restart_control_plane,
                run.progress,
                config=KUBEADM_CONFIG,
                port=_port(run),
                renew=run.plan.items(host.name, Kind.CERTIFICATES),
                components=run.plan.items(host.name, Kind.CONTROL_PLANE),
            )


def configure_kubelets(run: Run) -> None:
    """One after the other: a setting that a kubelet does not take stops here, with the others as they were."""
    for host in run.hosts(Kind.KUBELET_CONFIG):
        deploy([host], recipes.configure_kubelet, run.progress)


def restart_members(run: Run) -> None:
    """Each reads through quorum again, and its API server is ready again, before the next."""
    for host in run.hosts(Kind.ETCD):
        refuse_unless(run, host, (*run.inventory.etcd, *run.inventory.leaving), may_restart_etcd)
        with out_of_service(run, host):
            deploy([host], recipes.restart_etcd, run.progress)
            if host in run.inventory.masters:
                deploy([host], recipes.wait_for_apiserver, run.progress, port=_port(run))


def put_back_servers(run: Run) -> None:
    """Servers that an interrupted run left drained."""
    for name in dict.fromkeys(item for step in run.plan.of(Kind.RESTORE) for item in step.items):
        hosts = [host for host in run.hosts(Kind.RESTORE) if name in run.plan.items(host.name, Kind.RESTORE)]
        deploy(hosts, recipes.restore_server, run.progress, server=name)


@contextmanager
def out_of_service(run: Run, host: Host) -> Iterator[None]:
    """No load balancer sends the master's API server new connections meanwhile.

    After an error it stays drained, because it may not be ready: the next ``up`` puts it back when it is.
    """
    drain(run, host)
    yield
    restore(run, host)


def take_out(run: Run, host: Host) -> None:
    """Out of service for longer: drained, and its API server gone until :func:`put_back`.

    Ended in between, the next ``up`` finds its manifest aside and puts it back.
    """
    drain(run, host)
    let_clients_part(run, host)
    deploy([host], recipes.put_apiserver_aside, run.progress)


def put_back(run: Run, host: Host) -> None:
    """Its API server started and ready, then back in service."""
    deploy([host], recipes.bring_apiserver_back, run.progress, port=_port(run))
    restore(run, host)


def drain(run: Run, host: Host) -> None:
    """A master's API server gets no new connections; a host without one is left alone."""
    deploy(_balancers(run, host), recipes.drain_server, run.progress, server=f"apiservers/{host.name}")


def restore(run: Run, host: Host) -> None:
    """What :func:`drain` did, undone."""
    deploy(_balancers(run, host), recipes.restore_server, run.progress, server=f"apiservers/{host.name}")


def let_clients_part(run: Run, host: Host) -> None:
    """Between :func:`drain` and the end of an API server."""
    deploy(
        _balancers(run, host),
        recipes.let_clients_part,
        run.progress,
        address=str(host.address),
        port=_port(run),
        seconds=PARTING_SECONDS,
    )


def _balancers(run: Run, host: Host) -> list[Host]:
    return run.reachable(run.inventory.balancer_hosts) if host in run.inventory.masters else []


def refuse_unless(run: Run, host: Host, group: tuple[Host, ...], guard: Guard) -> None:
    """Raises Refused unless the guard allows that this one of the group goes out of service now.

    Raises Unreachable when it or another of the group went away by itself meanwhile: who comes next would be a second
    one out.
    """
    known = set(run.observation.unreachable)
    observe(run)
    unreachable = run.observation.unreachable
    if gone := [one for one in group if one.name in unreachable and (one == host or one.name not in known)]:
        names = ", ".join(one.name for one in gone)
        raise Unreachable(
            f"{names} cannot be reached any more; nothing else was taken out of service",
            where=names,
            why="; ".join(unreachable[one.name] for one in gone),
            next_step="check that it is on and that ssh to it works, then run the same command again",
        )
    verdict = guard({other.name: run.observation.reports.get(other.name) for other in group}, host.name)
    if not verdict.allowed:
        raise Refused(
            f"{host.name} must not be taken out of service now",
            why=verdict.arithmetic,
            next_step="bring the others back first (`haplane status` names them), then run again",
        )


def _port(run: Run) -> int:
    return run.inventory.cluster.apiserver_port


RESTART_ETCD = Phase("Restart etcd members, one at a time", (Kind.ETCD,), restart_members)
RESTART_CONTROL_PLANES = Phase(
    "Restart control planes, one at a time", (Kind.CERTIFICATES, Kind.CONTROL_PLANE), restart_control_planes
)
CONFIGURE_KUBELETS = Phase("Configure kubelets, one at a time", (Kind.KUBELET_CONFIG,), configure_kubelets)
PUT_BACK_SERVERS = Phase("Put drained servers back", (Kind.RESTORE,), put_back_servers)
