"""A master's API server taken out of service without a client noticing, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys import recipes

CONNECTION_DRAIN_SECONDS = 20
"""How long clients with busy connections have to receive an API server's GOAWAY and reconnect.

It sends GOAWAY with one in 50 responses (goaway-chance), and during the 4 s of its shutdown-delay-duration. A
request over an old connection after that may get a 503: one in 180,000 clients with 25 requests a second has received
no GOAWAY by then, one in 11 of those with 5 a second. Without busy connections the drain takes 2 s.
"""


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
    context.deploy([host], recipes.put_back_control_plane, port=context.inventory.cluster.apiserver_port)
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
        port=context.inventory.cluster.apiserver_port,
        seconds=CONNECTION_DRAIN_SECONDS,
    )


def _balancers(context: Context, host: Host) -> list[Host]:
    return context.reachable(context.inventory.balancer_hosts) if host in context.inventory.masters else []
