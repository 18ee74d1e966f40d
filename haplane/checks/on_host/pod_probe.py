"""Runs on a host, with nothing but Python's standard library: asks questions from inside a pod's network.

Takes one JSON request, ``{"container": ID, "seconds": N, "http": {name: URL}, "dns": {name: [server, host]}}``, and
writes ``{name: {"source": address, "answer": [text, ...], "error": text or null}}``. It enters the network namespace
of the container, so the packets come from the pod's own address, whatever its image holds. Each question is asked
again until it is answered or its seconds are over: a service made a moment ago takes one to reach every node.
"""

from __future__ import annotations

import base64
import concurrent.futures
import ctypes
import glob
import http.client
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any
from urllib.parse import urlsplit

CLONE_NEWNET = 0x40000000  # linux/sched.h
ASK_SECONDS = 3
PAUSE_SECONDS = 0.3
WHOLE_SECONDS = 120
DNS_PORT = 53


def main() -> None:
    """Enter the pod's network and ask everything."""
    signal.alarm(WHOLE_SECONDS)
    request = json.loads(base64.b64decode(sys.argv[1]))
    enter_network(request["container"])
    deadline = time.monotonic() + request["seconds"]
    with concurrent.futures.ThreadPoolExecutor(
        16
    ) as pool:  # new threads are in the network of the one that made them
        pending = {
            name: pool.submit(until_answered, ask_http, deadline, url) for name, url in request["http"].items()
        }
        for name, asked in request["dns"].items():
            pending[name] = pool.submit(until_answered, ask_dns, deadline, *asked)
        report = {name: future.result() for name, future in pending.items()}
    json.dump(report, sys.stdout)


def enter_network(container: str) -> None:
    """Move this thread into the network namespace of the container's first process."""
    process = min(
        int(path.split("/")[2])
        for path in glob.glob("/proc/[0-9]*/cgroup")  # noqa: PTH207 - one style in these scripts
        if container in text_of(path)
    )
    namespace = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    # os.setns came with Python 3.12; hosts have older ones.
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def text_of(path: str) -> str:
    """A file of /proc, empty when its process just ended."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


def until_answered(ask: Any, deadline: float, *question: str) -> dict[str, Any]:  # noqa: ANN401
    """The first answer, or the last error once the deadline has passed."""
    while True:
        try:
            source, answer = ask(*question)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() > deadline:
                return {"source": "", "answer": [], "error": f"{type(error).__name__}: {error}"}
            time.sleep(PAUSE_SECONDS)
        else:
            return {"source": source, "answer": answer, "error": None}


def ask_http(url: str) -> tuple[str, list[str]]:
    """Our address on that connection, and the status. Raises OSError or HTTPException."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=ASK_SECONDS)
    connection.connect()
    source = connection.sock.getsockname()[0]
    connection.request("GET", target.path, headers={"Connection": "close"})
    return source, [str(connection.getresponse().status)]


def ask_dns(server: str, host: str) -> tuple[str, list[str]]:
    """Our address towards the server, and the A records of ``host``. Raises OSError, or ValueError without any."""
    number = struct.unpack("!H", os.urandom(2))[0]
    labels = b"".join(bytes([len(label)]) + label.encode() for label in host.rstrip(".").split("."))
    query = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(ASK_SECONDS)
        channel.connect((server, DNS_PORT))
        channel.send(query)
        reply = channel.recv(4096)
        source = channel.getsockname()[0]
    return source, addresses_in(reply, number)


def addresses_in(reply: bytes, number: int) -> list[str]:
    """The A records of a DNS reply (RFC 1035, 4.1). Raises ValueError when it is not one or holds none."""
    try:
        answered, flags, questions, records = struct.unpack("!4H", reply[:8])
        if answered != number or flags & 0x000F:
            raise ValueError(f"DNS error {flags & 0x000F}")
        position = 12
        for _ in range(questions):
            position = after_name(reply, position) + 4
        found = []
        for _ in range(records):
            position = after_name(reply, position)
            kind, _, _, length = struct.unpack("!HHIH", reply[position : position + 10])
            position += 10
            if kind == 1:
                found.append(socket.inet_ntoa(reply[position : position + length]))
            position += length
    except (struct.error, IndexError, OSError):
        raise ValueError("not a DNS reply") from None
    if not found:
        raise ValueError("no address")
    return found


def after_name(reply: bytes, position: int) -> int:
    """Where the name at ``position`` ends: after its labels, or after a pointer to an earlier one."""
    while reply[position]:
        if reply[position] >= 0xC0:
            return position + 2
        position += 1 + reply[position]
    return position + 1


if __name__ == "__main__":
    main()
