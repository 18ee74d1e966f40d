"""haproxy's own report of its servers."""

from __future__ import annotations

import contextlib
import os
import socket

ADMIN_SOCKETS = ("/run/haplane-haproxy/admin.sock", "/run/haproxy/admin.sock")
"""The second is of a haproxy that has not been reloaded since haplane put its socket where only root gets at it."""


def haproxy_servers() -> list[dict[str, str]] | None:
    """Every server with its backend and status, from haproxy's admin socket.

    One without weight gets no connections, as one that is drained, but for haproxy it is UP.
    """
    with contextlib.suppress(OSError, LookupError), socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(2)
        admin.connect(next(filter(os.path.exists, ADMIN_SOCKETS), ADMIN_SOCKETS[0]))
        admin.sendall(b"show stat -1 4 -1\n")
        text = b"".join(iter(lambda: admin.recv(65536), b"")).decode("utf-8", "replace")
        rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
        return [{"backend": row[0], "name": row[1], "status": _status(row[17], row[18])} for row in rows]
    return None


def _status(status: str, weight: str) -> str:
    return "DRAIN (weight 0)" if weight == "0" and status.startswith("UP") else status
