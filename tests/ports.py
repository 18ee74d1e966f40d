"""Ports of this machine for servers that tests start, each given out once."""

from __future__ import annotations

import itertools
import os
import socket

FIRST, EACH = 20000, 1000
"""Below those that the kernel gives to connections (32768 and up): nobody takes one before its server listens."""

_numbers = itertools.count()


def free_port() -> int:
    """One that nobody listens on, that no other test of this run gets, in this worker or in another."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = FIRST + EACH * (worker % 12) + next(_numbers) % EACH
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
