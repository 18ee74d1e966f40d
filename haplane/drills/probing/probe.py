"""The prober: ``python -m haplane.drills.probing.probe``, a process of its own so that nothing else delays its clock.

The first line of stdin is one JSON document, {"target": {...}, "namespace": ..., "per_second": ..., "seconds": ...},
so credentials are on no command line; ``seconds`` is each request's deadline. The end of stdin stops it, which also
happens when its parent dies. Each line of stdout is one :class:`haplane.drills.probing.timeline.Request`.

It is an open loop: request k is sent at start + k / rate, whatever became of the requests before it, each on a new
connection. Write n creates the ConfigMap ``write-n``, so every acknowledged write can be read back by its number. A
read fetches the last write that was acknowledged before it was sent, which the API server answers from etcd through
quorum: one that is not found is stale. Before the first acknowledgement it fetches the kube-system namespace.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from haplane.drills.probing.client import SECONDS_PER_REQUEST, Client, NoReply, Reply, Target
from haplane.drills.probing.timeline import ENDPOINT_KINDS, Kind, Request

PER_SECOND = 20
READ_PATH = "/api/v1/namespaces/kube-system"
WRITE_LABEL = "haplane-drill"


def configmaps_path(namespace: str) -> str:
    """Where the writes go."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def write_body(number: int) -> dict[str, Any]:
    """The ConfigMap of one write."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"write-{number}", "labels": {WRITE_LABEL: "write"}},
        "data": {"number": str(number)},
    }


class Prober:
    """Sends reads and writes by schedule until told to stop, and hands each finished request to ``record``."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        record: Callable[[Request], None],
        per_second: float = PER_SECOND,
        seconds: float = SECONDS_PER_REQUEST,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._record = record
        self._per_second = per_second
        self._seconds = seconds
        self._lock = threading.Lock()
        self._acknowledged = -1

    def run(self, stop: threading.Event) -> None:
        """Probe until ``stop`` is set, then wait for the requests under way (at most a deadline)."""
        # Twice as many threads as can be waiting at once: a thread is never what a request waits for.
        threads = int(2 * len(ENDPOINT_KINDS) * self._per_second * self._seconds) + 2
        period = 1 / (self._per_second * len(ENDPOINT_KINDS))
        start = time.monotonic()
        with ThreadPoolExecutor(threads, "probe") as pool:
            for tick in itertools.count():
                scheduled = start + tick * period
                if stop.wait(max(0.0, scheduled - time.monotonic())):
                    return
                number, turn = divmod(tick, len(ENDPOINT_KINDS))
                pool.submit(self._send, ENDPOINT_KINDS[turn], number, scheduled)

    def _send(self, kind: Kind, number: int, scheduled: float) -> None:
        sent = time.monotonic()
        status, ok, failure = None, False, None
        try:
            reply = self._ask(kind, number)
            status, ok = reply.status, reply.ok
            failure = None if ok else reply.body[:200].decode(errors="replace")
        except NoReply as error:
            failure = str(error)
        request = Request(kind, number, scheduled, sent, time.monotonic(), ok, status, failure)
        with self._lock:
            if kind == "write" and ok:
                self._acknowledged = max(self._acknowledged, number)
            self._record(request)

    def _ask(self, kind: Kind, number: int) -> Reply:
        if kind == "read":
            newest = self._acknowledged
            path = READ_PATH if newest < 0 else f"{configmaps_path(self._namespace)}/write-{newest}"
            return self._client.request("GET", path, seconds=self._seconds)
        path = configmaps_path(self._namespace)
        return self._client.request("POST", path, write_body(number), seconds=self._seconds)


def main() -> None:
    """Run the prober on this process's stdin and stdout."""
    settings = json.loads(sys.stdin.readline())
    stop = threading.Event()

    def record(request: Request) -> None:
        sys.stdout.write(request.to_line())
        sys.stdout.flush()

    def wait_for_end_of_input() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            continue
        stop.set()

    client = Client(Target(**settings["target"]))
    prober = Prober(client, settings["namespace"], record, settings["per_second"], settings["seconds"])
    threading.Thread(target=wait_for_end_of_input, daemon=True).start()
    prober.run(stop)


if __name__ == "__main__":
    main()
