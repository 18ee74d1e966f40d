"""Runs on a host, with nothing but Python's standard library: probes from inside a pod's network.

Takes one JSON request, ``{"container": ID, "seconds": N, "http": {name: URL}, "dns": {name: [server, host]}}``, and
writes ``{name: {"source": address, "answer": [text, ...], "error": text or null}}``. It enters the network namespace
of the container, so the packets come from the pod's own address, whatever its image holds. Each probe is
repeated until it is answered or its seconds are over: a new service takes one to reach every node.
"""

from __future__ import annotations

import base64
import concurrent.futures
import glob
import http.client
import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from haplane.facts.on_host.dns import resolve
from haplane.facts.on_host.namespaces import enter_network, network_of
from haplane.facts.on_host.probe import PlainConnection, read

REQUEST_SECONDS = 3
PAUSE_SECONDS = 0.3
WHOLE_SECONDS = 120


def main() -> None:
    """Enter the pod's network and run every probe."""
    signal.alarm(WHOLE_SECONDS)
    request = json.loads(base64.b64decode(sys.argv[1]))
    enter_network(network_of(process_of(request["container"])))
    deadline = time.monotonic() + request["seconds"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:  # its threads are in the network of this one
        pending = {name: pool.submit(until_answered, get, deadline, url) for name, url in request["http"].items()}
        for name, (server, host) in request["dns"].items():
            pending[name] = pool.submit(until_answered, resolve, deadline, server, host, REQUEST_SECONDS)
        report = {name: future.result() for name, future in pending.items()}
    json.dump(report, sys.stdout)


def process_of(container: str) -> int:
    """The container's first process."""
    return min(
        int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/cgroup") if container in (read(path) or "")
    )


def until_answered(probe: Callable[..., tuple[str, list[str]]], deadline: float, *arguments: Any) -> dict[str, Any]:
    """The first answer, or the last error once the deadline has passed."""
    while True:
        try:
            source, answer = probe(*arguments)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() > deadline:
                return {"source": "", "answer": [], "error": f"{type(error).__name__}: {error}"}
            time.sleep(PAUSE_SECONDS)
        else:
            return {"source": source, "answer": answer, "error": None}


def get(url: str) -> tuple[str, list[str]]:
    """Our address on that connection, and the status. Raises OSError or HTTPException."""
    target = urlsplit(url)
    connection = PlainConnection(target.hostname or "", target.port, timeout=REQUEST_SECONDS)
    connection.connect()
    source = connection.sock.getsockname()[0]
    connection.request("GET", target.path, headers={"Connection": "close"})
    return source, [str(connection.getresponse().status)]


if __name__ == "__main__":
    main()
