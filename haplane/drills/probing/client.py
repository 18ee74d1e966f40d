"""One HTTPS request to the API server, on a connection of its own, under one deadline for all of it.

Only the standard library: the prober imports this and must start at once and cost little.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any

SECONDS_PER_REQUEST = 1.0
ANSWER_BYTES = 64 << 20
AGENT = "haplane-drill"
"""The field manager of what drills apply, by which nobody takes it for what haplane keeps in the cluster."""


@dataclass(frozen=True)
class Target:
    """An API server's address and an administrator's credentials, all PEM text. Its repr holds no secret."""

    address: str
    port: int
    ca: str
    certificate: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True)
class Reply:
    """A complete answer within the deadline; any status."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class NoReply(Exception):
    """No complete answer within the deadline; the text says how far it came."""


class Client:
    """Requests to one target. Every request makes a new TCP and TLS connection; safe to use from many threads."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._context = _tls_context(target)

    def request(self, method: str, path: str, body: object = None, *, seconds: float = SECONDS_PER_REQUEST) -> Reply:
        """Send and read the whole answer within ``seconds``, name look-up, connection and TLS included.

        Raises NoReply for everything that ends otherwise.
        """
        deadline = time.monotonic() + seconds
        step = "connecting"
        try:
            with socket.create_connection((self.target.address, self.target.port), timeout=seconds) as plain:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                step = "TLS handshake"
                _set_time_left(plain, deadline)
                with self._context.wrap_socket(plain, server_hostname=self.target.address) as connection:
                    step = "waiting for the answer"
                    _set_time_left(connection, deadline)
                    connection.sendall(_message(method, path, self.target, body))
                    reply = _read(connection, method, deadline)
        except TimeoutError:
            raise NoReply(f"{step}: no answer within {seconds:g} s") from None
        except (OSError, HTTPException) as error:
            raise NoReply(f"{step}: {type(error).__name__}: {error}") from None
        if time.monotonic() > deadline:
            raise NoReply(f"{step}: answered later than {seconds:g} s")
        return reply


def _read(connection: ssl.SSLSocket, method: str, deadline: float) -> Reply:
    response = HTTPResponse(connection, method=method)
    _set_time_left(connection, deadline)
    response.begin()
    _set_time_left(connection, deadline)
    content = response.read(ANSWER_BYTES)
    if response.read(1):
        raise HTTPException(f"the answer has more than {ANSWER_BYTES >> 20} MiB")
    return Reply(response.status, content)


def _set_time_left(connection: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)


def _message(method: str, path: str, target: Target, body: object) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {target.address}:{target.port}\r\nAccept: application/json\r\n"
        f"User-Agent: {AGENT}\r\nConnection: close\r\n"
    )
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode("ascii") + b"\r\n" + content


def _tls_context(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=target.ca)
    # OpenSSL takes certificate and key from files only: this one has no name, and is in memory alone. A directory for
    # temporary files would keep the key of a run that is killed here.
    with os.fdopen(os.memfd_create("client"), "wb", buffering=0) as pair:
        pair.write(f"{target.certificate}\n{target.key}\n".encode("ascii"))
        context.load_cert_chain(f"/proc/self/fd/{pair.fileno()}")
    return context
