"""Clients that do what careful ones do and nothing more: no request is sent twice, each has a second.

One makes a new connection for every request, one keeps a single HTTP/2 connection (httpx, which leaves a connection
that the server says good-bye on, as any client must), one holds a watch and takes it up again where it ended.
"""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from haplane.drills.client import Client, NoReply, Target
from haplane.drills.probe import READ_PATH, configmaps_path, write_body

PER_SECOND = 25
DEADLINE_SECONDS = 1.0


class Clients:
    """``requests``: how many were sent, by client. ``connections``: those that HTTP/2 needed."""

    def __init__(self, target: Target, namespace: str) -> None:
        self.target, self.namespace = target, namespace
        self.requests = {"new connections": 0, "kept connection": 0}
        self.failures: list[str] = []
        self.watches = 0
        self.connections: set[object] = set()
        self._acknowledged: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._stop, self._over = threading.Event(), threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[Clients]:
        with self._http(DEADLINE_SECONDS) as client:
            version = client.get(configmaps_path(self.namespace)).json()["metadata"]["resourceVersion"]
        senders = [
            threading.Thread(target=one, daemon=True) for one in (self._new_connections, self._kept_connection)
        ]
        watcher = threading.Thread(target=self._watch, args=(version,), daemon=True)
        for thread in (watcher, *senders):
            thread.start()
        try:
            yield self
        finally:
            time.sleep(2)
            self._stop.set()
            for thread in senders:
                thread.join(10)
            time.sleep(2)  # for the last events; the watch itself ends with the process
            self._over.set()

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    def missed(self) -> list[str]:
        """Acknowledged writes whose event never came."""
        return sorted(set(self._acknowledged) - set(self._seen))

    def longest_lag(self) -> float:
        """Seconds from a write's answer to its event."""
        return max(self._seen[name] - told for name, told in self._acknowledged.items() if name in self._seen)

    def _ticks(self, client: str) -> Iterator[int]:
        began, number = time.monotonic(), 0
        while not self._stop.wait(max(0.0, began + number / PER_SECOND - time.monotonic())):
            self.requests[client] += 1
            yield number
            number = max(number + 1, int((time.monotonic() - began) * PER_SECOND))

    def _fail(self, client: str, error: object) -> None:
        self.failures.append(f"{time.strftime('%T')} {client}: {error!r}")

    def _new_connections(self) -> None:
        client = Client(self.target)
        for number in self._ticks("new connections"):
            try:
                if number % 5:
                    reply = client.request("GET", READ_PATH, seconds=DEADLINE_SECONDS)
                else:
                    body = write_body(number)
                    reply = client.request("POST", configmaps_path(self.namespace), body, seconds=DEADLINE_SECONDS)
                    if reply.ok:
                        self._acknowledged[body["metadata"]["name"]] = time.monotonic()
                if not reply.ok:
                    self._fail("new connections", (reply.status, reply.body[:200]))
            except NoReply as error:
                self._fail("new connections", error)

    def _kept_connection(self) -> None:
        with self._http(DEADLINE_SECONDS) as client:
            for _ in self._ticks("kept connection"):
                began = time.monotonic()
                try:
                    reply = client.get(READ_PATH)
                    if reply.status_code != 200 or reply.http_version != "HTTP/2":
                        self._fail("kept connection", (reply.http_version, reply.status_code, reply.text[:200]))
                    if time.monotonic() - began > DEADLINE_SECONDS:
                        self._fail("kept connection", f"answered after {time.monotonic() - began:.2f} s")
                    self.connections.add(reply.extensions["network_stream"].get_extra_info("client_addr"))
                except httpx.HTTPError as error:
                    self._fail("kept connection", error)

    def _watch(self, version: str) -> None:
        """Each on a connection of its own: the server that ended the last one may be about to go."""
        while not self._over.is_set():
            self.watches += 1
            try:
                with self._http(None) as client:
                    version = self._one_watch(client, configmaps_path(self.namespace), version)
            except (httpx.HTTPError, ValueError) as error:
                if not self._over.is_set():
                    self._fail("watch", error)
                    time.sleep(0.2)

    def _one_watch(self, client: httpx.Client, path: str, version: str) -> str:
        parameters = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "600",
        }
        began = time.monotonic()
        with client.stream("GET", path, params=parameters) as reply:
            if reply.status_code != 200 or time.monotonic() - began > DEADLINE_SECONDS:
                raise ValueError(f"watch: {reply.status_code} after {time.monotonic() - began:.2f} s")
            for line in reply.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ValueError(f"watch: {event['object']}")
                metadata = event["object"]["metadata"]
                version = metadata["resourceVersion"]
                if event["type"] == "ADDED":
                    self._seen[metadata["name"]] = time.monotonic()
        return version

    def _http(self, seconds: float | None) -> httpx.Client:
        target = self.target
        context = ssl.create_default_context(cadata=target.authority)
        with tempfile.TemporaryDirectory() as directory:
            pair = Path(directory) / "pair.pem"
            pair.touch(mode=0o600)
            pair.write_text(f"{target.certificate}\n{target.key}\n")
            context.load_cert_chain(pair)
        return httpx.Client(
            base_url=f"https://{target.address}:{target.port}", verify=context, http1=False, http2=True,
            trust_env=False, timeout=httpx.Timeout(DEADLINE_SECONDS, read=seconds),
            limits=httpx.Limits(max_connections=1),
        )  # fmt: skip
