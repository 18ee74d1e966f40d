"""Taking one API server out of haproxy's hands for planned work, and putting it back."""

from __future__ import annotations

from collections.abc import Generator
from functools import cache
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation

ASK = """
import socket, sys
for command in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(5)
        admin.connect("/run/haproxy/admin.sock")
        admin.sendall(command.encode() + b"\\n")
        answer = b"".join(iter(lambda: admin.recv(65536), b"")).decode().strip()
    if answer:
        sys.exit(f"haproxy: {command}: {answer}")
"""


@operation()
def drain(server: str) -> Generator[StringCommand, None, None]:
    """Send a server no new connections, and let those it has end by themselves.

    Health checks stop as well: a server that fails them would have its connections cut.

    + server: BACKEND/NAME
    """
    yield _ask(f"disable health {server}", f"set server {server} state drain")


@operation()
def await_parting(address: str, port: int, seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until no client asks a drained server often over a connection that it keeps.

    + address, port: the server's
    + seconds: after which it is waited for nobody
    """
    words = (_await_parting(), address, str(port), str(seconds))
    yield StringCommand("python3", "-c", *(QuoteString(word) for word in words))


@operation()
def restore(server: str) -> Generator[StringCommand, None, None]:
    """Put a drained server back into service.

    + server: BACKEND/NAME
    """
    yield _ask(f"set server {server} health up", f"set server {server} state ready", f"enable health {server}")


@cache
def _await_parting() -> str:
    return (Path(__file__).parent / "on_host" / "await_parting.py").read_text(encoding="utf-8")


def _ask(*commands: str) -> StringCommand:
    return StringCommand("python3", "-c", QuoteString(ASK), *(QuoteString(command) for command in commands))
