"""What the cluster's parts report during a drill: ``python -m haplane.drills.probing.watch``, a process of its own.

The first line of stdin is a JSON document: ``target`` (the endpoint and credentials), ``port`` of API servers,
``masters`` (address by name) and ``hosts`` (by name the argv that runs ``on_host/host_state.py``). The end of stdin
stops it. Each line of stdout is a :class:`haplane.drills.probing.lanes.State`, written when a value changes; its time
is the controller's clock when the report arrived.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from haplane.drills.probing.client import Client, NoReply, Target
from haplane.drills.probing.lanes import State

READYZ_SECONDS = 0.5
NODES_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
REPORT_BYTES = 4096


class States:
    """What is known by lane and host; a line is written when it changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], object] = {}
        self._lock = threading.Lock()

    def set(self, lane: str, host: str, value: object) -> None:
        """Note a value; safe from many threads."""
        with self._lock:
            if (lane, host) not in self._known or self._known[lane, host] != value:
                self._known[lane, host] = value
                sys.stdout.write(json.dumps(asdict(State(lane, host, time.monotonic(), value))) + "\n")
                sys.stdout.flush()


def follow_host(name: str, argv: list[str], states: States) -> None:
    """Read a host's own reports, and connect again when the connection ends."""
    while True:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ssh:
            while ssh.stdout is not None and (line := ssh.stdout.readline(REPORT_BYTES)):
                note(name, line, states)
            ssh.kill()
        states.set("address", name, None)
        states.set("etcd", name, None)
        time.sleep(RECONNECT_SECONDS)


def note(name: str, line: bytes, states: States) -> None:
    """One line of a host; what is none of its reports is passed over."""
    try:
        report = json.loads(line)
        states.set("address", name, bool(report["holds"]))
        if "etcd" in report:
            states.set("etcd", name, report["etcd"] and {key: str(report["etcd"][key]) for key in MEMBER_KEYS})
    except (ValueError, LookupError, TypeError, RecursionError):
        return


MEMBER_KEYS = ("member", "leader", "term", "version")


def ask_readyz(name: str, client: Client, states: States) -> None:
    """Whether one master's API server is ready by itself."""
    try:
        ready = client.request("GET", "/readyz").status == 200
    except NoReply:
        ready = False
    states.set("readyz", name, ready)


def ask_nodes(client: Client, states: States) -> None:
    """Every node's Ready condition; nothing is noted while the endpoint does not respond."""
    try:
        for node in client.request("GET", "/api/v1/nodes", seconds=5.0).document()["items"]:
            conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
            states.set("node", node["metadata"]["name"], conditions.get("Ready") == "True")
    except (NoReply, ValueError, LookupError, TypeError):
        return


def every(seconds: float, ask: Callable[[], None]) -> None:
    """Ask again and again, in a thread that ends with the process."""

    def loop() -> None:
        while True:
            began = time.monotonic()
            ask()
            time.sleep(max(0.0, began + seconds - time.monotonic()))

    threading.Thread(target=loop, daemon=True).start()


def main() -> None:
    """Watch until standard input ends."""
    settings: Mapping[str, Any] = json.loads(sys.stdin.readline())
    target, states = Target(**settings["target"]), States()
    for name, address in settings["masters"].items():
        client = Client(replace(target, address=address, port=settings["port"]))
        every(READYZ_SECONDS, partial(ask_readyz, name, client, states))
    every(NODES_SECONDS, partial(ask_nodes, Client(target), states))
    for name, argv in settings["hosts"].items():
        threading.Thread(target=follow_host, args=(name, argv, states), daemon=True).start()
    while os.read(0, 1024):
        continue


if __name__ == "__main__":
    main()
