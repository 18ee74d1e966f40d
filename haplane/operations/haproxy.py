"""Planned work behind load balancers, and on them: API servers drained, the address handed over."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import python


@operation()
def drain(server: str) -> Generator[StringCommand, None, None]:
    """Send a server no new connections, and let those it has end by themselves.

    Health checks stop as well: a server that fails them would have its connections cut.

    + server: BACKEND/NAME
    """
    yield python("haproxy_admin", f"disable health {server}", f"set server {server} state drain")


@operation()
def wait_for_connection_drain(address: str, port: int, seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until no client asks a drained server often over a connection that it keeps.

    + address, port: the server's
    + seconds: after which it is waited for nobody
    """
    yield python("await_connection_drain", address, str(port), str(seconds))


@operation()
def undrain(server: str) -> Generator[StringCommand, None, None]:
    """Give a drained server new connections again, whichever way it was drained.

    + server: BACKEND/NAME
    """
    yield python(
        "haproxy_admin",
        f"set server {server} health up",
        f"set server {server} weight 100%",
        f"set server {server} state ready",
        f"enable health {server}",
    )


@operation()
def hand_over_address(address: str, interface: str) -> Generator[StringCommand, None, None]:
    """End keepalived until the next boot; if the address is here, once another load balancer has it.

    + address: the floating one
    + interface: where it is
    """
    yield python("hand_over_address", address, interface)
