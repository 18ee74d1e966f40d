"""DNS queries for A records, and their replies (RFC 1035, section 4.1)."""

from __future__ import annotations

import concurrent.futures
import socket
import struct

DNS_PORT = 53
ROOT_SERVER = "a.root-servers.net"
SERVER_SECONDS = (0.7, 1.5)


def resolve(server: str, name: str, seconds: float) -> tuple[str, list[str]]:
    """Our own address towards the server, and the A records of ``name``, over UDP from a new port.

    Raises OSError (TimeoutError too), or ValueError for an answer without an address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(seconds)
        channel.connect((server, DNS_PORT))
        number = channel.getsockname()[1]
        channel.send(dns_query(number, name))
        reply = channel.recv(4096)
        return channel.getsockname()[0], addresses_in(reply, number)


def silent_servers(servers: list[str]) -> list[str]:
    """Those name servers of others that answer nothing at all, be it that they do not know a name."""
    others = [one for one in servers if not one.startswith("127.") and ":" not in one]
    with concurrent.futures.ThreadPoolExecutor(len(others) or 1) as pool:
        answers = dict(zip(others, pool.map(answers_something, others), strict=True))
    return [one for one, answers_at_all in answers.items() if not answers_at_all]


def answers_something(server: str) -> bool:
    """Whether any packet comes back, at the second try."""
    for seconds in SERVER_SECONDS:
        try:
            resolve(server, ROOT_SERVER, seconds)
        except ValueError:
            return True
        except OSError:
            continue
        return True
    return False


def dns_query(number: int, name: str) -> bytes:
    """The packet that asks for the A records of a name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


def addresses_in(reply: bytes, number: int) -> list[str]:
    """The A records of a reply. Raises ValueError when it is not one or holds none."""
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
