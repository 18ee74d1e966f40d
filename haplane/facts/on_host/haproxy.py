"""haproxy's own report of its servers."""

from __future__ import annotations

import contextlib
import io
import os
import socket

from haplane.facts.on_host.probe import InTime

ADMIN_SOCKETS = ("/run/haplane-haproxy/admin.sock", "/run/haproxy/admin.sock")
"""The second is of a haproxy that has not been reloaded since haplane put its socket where only root gets at it."""
ADMIN_SECONDS, ADMIN_BYTES = 2.0, 4 << 20
FRONTENDS, SERVERS = 1, 4
WEIGHT = 18
"""The last column that is read."""


def haproxy_servers() -> list[dict[str, str]] | None:
    """Every server with its backend and status; None where haproxy does not answer.

    One without weight gets no connections, as one that is drained, but for haproxy it is UP.
    """
    rows = stat_rows(SERVERS)
    if rows is None:
        return None
    return [{"backend": row[0], "name": row[1], "status": _status(row[17], row[18])} for row in rows]


def endpoint_usage() -> list[int]:
    """How many connections clients have to the endpoint here, and how many they may have; nothing where unknown."""
    rows = [row for row in stat_rows(FRONTENDS) or () if row[0] == "endpoint"]
    return [int(rows[0][4]), int(rows[0][6])] if rows and rows[0][4].isdigit() and rows[0][6].isdigit() else []


def stat_rows(kind: int) -> list[list[str]] | None:
    """Lines of haproxy's ``show stat`` for one kind of thing, from its admin socket."""
    with contextlib.suppress(OSError, LookupError), socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(ADMIN_SECONDS)
        admin.connect(next(filter(os.path.exists, ADMIN_SOCKETS), ADMIN_SOCKETS[0]))
        admin.sendall(f"show stat -1 {kind} -1\n".encode())
        with io.BufferedReader(InTime(admin, admin.makefile("rb", buffering=0))) as answer:
            text = answer.read(ADMIN_BYTES).decode("utf-8", "replace")
        rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
        return [row for row in rows if len(row) > WEIGHT]
    return None


def _status(status: str, weight: str) -> str:
    return "DRAIN (weight 0)" if weight == "0" and status.startswith("UP") else status
