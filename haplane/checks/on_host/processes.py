"""The processes of the control plane, and what they have been given.

A static pod's is found by its container, a service's is systemd's main process: a name proves nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import urllib.request

from haplane.facts.on_host.network import Listener
from haplane.facts.on_host.probe import read
from haplane.facts.on_host.static_pods import system_pod_processes

LOOPBACK = ("127.", "[::1]", "[::ffff:127.")
MOST_BYTES = 1 << 20
MOST_LISTENERS = 20


def words_of(process: int) -> list[str]:
    """Its command line. None of ours holds a secret."""
    return (read(f"/proc/{process}/cmdline") or "").rstrip("\0").split("\0")


def newest(program: str) -> int | None:
    """The static pod's process; of two, of which one is about to end, the one with the higher number."""
    return max(system_pod_processes(program), default=None)


def environment(process: int | None, names: list[str]) -> dict[str, str]:
    """These variables of a process, no others."""
    pairs = [pair.partition("=") for pair in (read(f"/proc/{process}/environ") or "").split("\0")]
    return {name: value for name, _, value in pairs if name in names}


def given_file(process: int | None, flag: str) -> str | None:
    """The file that a process was given with this flag, as it is where the process sees it; None without one."""
    words = words_of(process) if process is not None else []
    path = ""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.startswith("--") and name.lstrip("-").replace("_", "-") == flag:
            path = value if equals else "".join(words[number + 1 : number + 2])
    return read(f"/proc/{process}/root{path}") if path.startswith("/") else None


def encryption_providers(text: str | None) -> list[str] | None:
    """The kinds of providers of the first rule for Secrets, never their keys."""
    try:
        rules = json.loads(text or "")["resources"]
        rule = next(rule for rule in rules if {"secrets", "*.", "*.*"} & set(rule["resources"]))
        return [next(iter(provider)) for provider in rule["providers"]]
    except (ValueError, LookupError, TypeError, StopIteration):
        return None


def open_metrics(sockets: list[Listener], processes: list[int]) -> list[str]:
    """Where these processes serve metrics to more than this host."""
    wanted = {str(process) for process in processes}
    found = [
        place
        for place, users in sockets
        if not place.startswith(LOOPBACK) and wanted & {process for _, process in users}
    ]
    return [place for place in found[:MOST_LISTENERS] if serves_metrics(place)]


def serves_metrics(place: str) -> bool:
    """Whether an ADDRESS:PORT as ss writes it answers /metrics with some."""
    address, _, port = place.rpartition(":")
    address = re.sub("%[^]]*", "", address)
    host = "127.0.0.1" if address in ("*", "0.0.0.0", "[::]") else address  # noqa: S104 - to compare with
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        return b"# HELP" in opener.open(f"http://{host}:{port}/metrics", timeout=3).read(MOST_BYTES)
    return False
