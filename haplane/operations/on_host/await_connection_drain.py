"""Runs on a load balancer, with nothing but Python's standard library: ends once a server is hardly asked any more.

    await_connection_drain.py ADDRESS PORT SECONDS

Looked at are the connections that processes of haproxy's unit keep to the server, each second, by the segments of
data sent over them. Whoever sends OFTEN or more in a second still asks. After SECONDS it ends whoever asks.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time

OFTEN = 2
QUIET_SECONDS = 2
UNIT, USERS = "/system.slice/haproxy.service", "/user.slice/"
PROC = "/proc"
CONNECTION = re.compile(r"(\S+:\d+) +\S+:\d+ .*users:\(")
PROCESS = re.compile(r"\bpid=(\d+)")
SENT = re.compile(r"\bdata_segs_out:(\d+)")


def main() -> None:
    """Ends when nobody has asked for QUIET_SECONDS in a row."""
    address, port, seconds = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    quiet, before = 0, sent(address, port)
    while quiet < QUIET_SECONDS and time.monotonic() < deadline:
        time.sleep(1)
        now = sent(address, port)
        asking = any(count - before.get(connection, 0) >= OFTEN for connection, count in now.items())
        quiet, before = 0 if asking else quiet + 1, now


def sent(address: str, port: str) -> dict[str, int]:
    """Connection, by haproxy's end of it -> segments of data that went to the server."""
    kept = ["ss", "-HOtinp", "state", "established", "dst", address, "dport", "=", f":{port}"]
    shown = subprocess.run(kept, stdout=subprocess.PIPE, check=True, timeout=10, encoding="utf-8").stdout
    counts = {}
    for line in shown.splitlines():
        connection = CONNECTION.search(line)
        if connection and any(is_of_the_unit(process) for process in PROCESS.findall(line)):
            count = SENT.search(line)
            counts[connection[1]] = int(count[1]) if count else 0
    return counts


def is_of_the_unit(process: str) -> bool:
    """Whether systemd runs it in haproxy's unit: any program may be called haproxy."""
    try:
        with open(f"{PROC}/{process}/cgroup", encoding="utf-8", errors="replace") as file:
            groups = file.read()
        return USERS not in groups and any(line.endswith(UNIT) for line in groups.splitlines())
    except OSError:  # it has ended
        return False


main()
