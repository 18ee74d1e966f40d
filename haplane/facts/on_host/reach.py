"""Runs on every host at once, with nothing but Python's standard library: whether hosts reach each other's ports.

Takes one JSON request: ``listen`` and ``connect`` by host address, each a list of [PROTOCOL, PORT] or [PROTOCOL,
ADDRESS, PORT], and ``seconds``. A port that nobody serves yet is listened on for as long; a program that has it
answers for itself. VRRP has no ports: its number is that of the IP protocol. Writes a JSON object: ``window`` (when
it did), ``listened``, and ``failed``, each with why.
"""

from __future__ import annotations

import contextlib
import errno
import json
import select
import socket
import subprocess
import sys
import time
from typing import Any

QUESTION, ANSWER = b"haplane?", b"haplane!"
VRRP_HEADER = bytes((0x31, 0, 0, 0, 0, 0, 0, 0))
"""An advert of the virtual router 0, which none may be: keepalived 2.2.7 passes over it and logs nothing."""
VRRP_TTL = 255
TRY_SECONDS = 1.5
UNTRIED = "not tried"
"""Of a host that was too busy for it: nothing is known then."""
Port = tuple[str, int]
"""tcp, udp or vrrp, and the number."""
Visit = tuple[str, str, int]
"""The same with the address before the number."""
REASONS = {
    errno.ECONNREFUSED: "refused",
    errno.ENOPROTOOPT: "refused",
    errno.EHOSTUNREACH: "rejected (host unreachable)",
    errno.ENETUNREACH: "rejected (network unreachable)",
    errno.EACCES: "rejected (prohibited)",
    errno.ETIMEDOUT: "no answer",
}


def own_address(known: list[str]) -> str | None:
    """Which of the addresses is this host's."""
    links = json.loads(subprocess.run(["ip", "-j", "-4", "address"], capture_output=True, check=True).stdout)
    mine = {one["local"] for link in links for one in link.get("addr_info", [])}
    return next((address for address in known if address in mine), None)


def socket_of(protocol: str, port: int) -> socket.socket:
    """A new one. Raises OSError for VRRP's where we are not root."""
    if protocol != "vrrp":
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    one = socket.socket(socket.AF_INET, socket.SOCK_RAW, port)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, VRRP_TTL)
    return one


def listeners(address: str, wanted: list[list[Any]]) -> dict[socket.socket, Port]:
    """Sockets for the ports that are free; the others are somebody's."""
    found = {}
    for protocol, port in wanted:
        one = socket_of(protocol, port)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, port))
            if protocol == "tcp":
                one.listen(64)
            one.setblocking(False)
            found[one] = (protocol, port)
        except OSError:
            one.close()
    return found


def serve(sockets: dict[socket.socket, Port], came: dict[Port, set[str]], seconds: float) -> None:
    """Accept connections and answer questions for that long; ``came`` gets whoever did."""
    ready, _, _ = select.select(list(sockets), [], [], seconds)
    for one in ready:
        with contextlib.suppress(OSError):
            if one.type == socket.SOCK_STREAM:
                visitor, sender = one.accept()
                visitor.close()
            else:
                packet, sender = one.recvfrom(128)
                if not packet.endswith(QUESTION):
                    continue  # somebody's advert
                one.sendto(header_of(one) + ANSWER, sender)
            came[sockets[one]].add(sender[0])


def attempt(protocol: str, address: str, port: int) -> socket.socket:
    """A connection under way, or a question that was sent."""
    one = socket_of(protocol, port)
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        one.connect((address, port))
    if protocol != "tcp":
        with contextlib.suppress(OSError):  # the local packet filter's: nothing comes back either
            one.send(header_of(one) + QUESTION)
    return one


def header_of(one: socket.socket) -> bytes:
    """What a question and its answer begin with."""
    return VRRP_HEADER if one.type == socket.SOCK_RAW else b""


def outcome(one: socket.socket, protocol: str) -> str | None:
    """Why it failed; None for a success; empty while it is open."""
    readable, writable, _ = select.select([one], [one] if protocol == "tcp" else [], [], 0)
    if not readable and not writable:
        return ""
    code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code == 0 and protocol != "tcp":
        try:
            if not one.recv(128).endswith(ANSWER):
                return ""
        except OSError as error:
            code = error.errno or errno.EIO
    return None if code == 0 else REASONS.get(code, f"error {code}")


def probe(
    sockets: dict[socket.socket, Port], targets: list[Visit], visitors: dict[Port, int], seconds: float
) -> dict[Visit, str]:
    """Target -> why it was not reached until the end; those that were are left out.

    Others may start later than we: ports are served until so many ``visitors`` have come to each, or the end.
    """
    ends = time.monotonic() + seconds
    why = dict.fromkeys(targets, UNTRIED)
    came: dict[Port, set[str]] = {port: set() for port in sockets.values()}
    open_now: dict[Visit, tuple[socket.socket, float]] = {}
    while (why or any(len(came[port]) < visitors[port] for port in came)) and time.monotonic() < ends:
        for target in list(why):
            if target not in open_now:
                open_now[target] = attempt(*target), time.monotonic()
            one, began = open_now[target]
            said = outcome(one, target[0])
            if said is None:
                del why[target]
            elif said or time.monotonic() - began > TRY_SECONDS:
                why[target] = said or "no answer"
            else:
                continue
            one.close()
            del open_now[target]
        serve(sockets, came, 0.02)
    return why


def main() -> None:
    """Listen, connect, report."""
    request = json.loads(sys.argv[1])
    address = own_address(list(request["listen"]))
    sockets = listeners(address, request["listen"][address]) if address else {}
    targets = [(protocol, other, port) for protocol, other, port in request["connect"].get(address, [])]
    visits = [tuple(visit) for found in request["connect"].values() for visit in found]
    visitors = {(protocol, port): visits.count((protocol, address, port)) for protocol, port in sockets.values()}
    began = time.time()
    why = probe(sockets, targets, visitors, request["seconds"])
    answer = {
        "window": [began, time.time()],
        "listened": sorted(sockets.values()),
        "failed": [[*target, reason] for target, reason in why.items()],
    }
    json.dump(answer, sys.stdout)


main()
