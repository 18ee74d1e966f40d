"""The host's addresses, and the TCP ports that programs listen on."""

from __future__ import annotations

import contextlib
import json
import os
import re

from haplane.facts.on_host.probe import output_of, read

LISTENER = re.compile(r"^LISTEN +\d+ +\d+ +(\S+:\d+) +\S+", re.M)
USER = re.compile(r'"([^"]*)",pid=(\d+),fd=\d+\)')
"""Any user's process may be called anything, line breaks and all, of 15 bytes: too few for one of these."""

Listener = tuple[str, list[tuple[str, str]]]
"""ADDRESS:PORT as ss writes it, and the programs that listen there: name and process."""


def addresses() -> dict[str, list[str]]:
    """Interface -> its IPv4 addresses. Raises OSError when ip does not report them."""
    links = json.loads(output_of("ip", "-j", "-4", "address") or "[]")
    return {link["ifname"]: [a["local"] for a in link.get("addr_info", [])] for link in links if link.get("ifname")}


def listeners() -> list[Listener]:
    """Every listening TCP socket. Raises OSError or ValueError where ss does not report them: none counts as free."""
    printed = output_of("ss", "-Hlntp")
    sockets = list(LISTENER.finditer(printed))
    if printed and (not sockets or sockets[0].start() > 0):
        raise ValueError(f"ss printed a line that is not a socket: {printed.splitlines()[0][:100]!r}")
    ends = [one.start() for one in sockets[1:]] + [len(printed)]
    return [(one[1], USER.findall(printed[one.end() : end])) for one, end in zip(sockets, ends, strict=True)]


def listening() -> dict[str, str]:
    """TCP port -> program that listens on it, "" when that is not known.

    Any user may call a program kube-apiserver: one that is neither root's nor a service's is marked.
    """
    return {place.rpartition(":")[2]: program_of(users) for place, users in listeners()}


def program_of(users: list[tuple[str, str]]) -> str:
    """The first of the programs that listen on a socket."""
    if not users:
        return ""
    name = users[0][0]
    return name if all(of_the_system(process) for _, process in users) else f"{name} (a user's)"


def of_the_system(process: str) -> bool:
    """Whether a process is root's, or a system service's."""
    with contextlib.suppress(OSError):
        groups = read(f"/proc/{process}/cgroup") or ""
        service = "/system.slice/" in groups and "/user.slice/" not in groups
        return service or os.stat(f"/proc/{process}").st_uid == 0
    return False
