"""Clients that do what careful ones do and nothing more: no request is sent twice, each has a second.

One makes a new connection for every request. One keeps a single HTTP/2 connection: curl, which ends what it has
begun on a connection that the server says good-bye on and then leaves it, as any client must. One holds a watch and
takes it up again where it ended.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pycurl

from haplane.drills.probing.client import Client, NoReply, Target
from haplane.drills.probing.probe import READ_PATH, configmaps_path, write_body
from haplane.waiting import wait_until

NEW_PER_SECOND = 10
"""Fewer than of the other: handshakes cost the most of the CPU that the lab's hosts share."""
KEPT_PER_SECOND = 25
DEADLINE_SECONDS = 1.0
ENOUGH_SECONDS = 180.0
SLOW_SECONDS = 0.3


class Clients:
    """``requests``: how many were sent, by client. ``connections``: those that HTTP/2 needed.

    ``slow``: answers that came in time but late, to tell a busy machine from a lost request.
    """

    def __init__(self, target: Target, namespace: str) -> None:
        self.target, self.namespace = target, namespace
        self.requests = {"new connections": 0, "kept connection": 0}
        self.failures: list[str] = []
        self.slow: list[str] = []
        self.watches = 0
        self.connections = 0
        self._acknowledged: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._stop, self._over = threading.Event(), threading.Event()

    @contextmanager
    def at_work(self, *, requests: int) -> Iterator[Clients]:
        """Until the block has ended, and on until so many were sent: how many that takes is the machine's affair."""
        listed = Client(self.target).request("GET", configmaps_path(self.namespace), seconds=DEADLINE_SECONDS)
        version = listed.document()["metadata"]["resourceVersion"]
        senders = [
            threading.Thread(target=one, daemon=True) for one in (self._new_connections, self._kept_connection)
        ]
        watcher = threading.Thread(target=self._watch, args=(version,), daemon=True)
        for thread in (watcher, *senders):
            thread.start()
        try:
            yield self
            wait_until(lambda: self.total >= requests, ENOUGH_SECONDS, f"{requests} requests were sent", every=0.2)
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

    def _ticks(self, client: str, per_second: int) -> Iterator[int]:
        began, number = time.monotonic(), 0
        while not self._stop.wait(max(0.0, began + number / per_second - time.monotonic())):
            self.requests[client] += 1
            yield number
            number = max(number + 1, int((time.monotonic() - began) * per_second))

    def _fail(self, client: str, error: object) -> None:
        self.failures.append(f"{_now()} {client}: {error!r}")

    @contextmanager
    def _timed(self, client: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        if (seconds := time.monotonic() - began) > SLOW_SECONDS:
            self.slow.append(f"{_now()} {client}: {seconds:.2f} s")

    def _new_connections(self) -> None:
        client = Client(self.target)
        for number in self._ticks("new connections", NEW_PER_SECOND):
            try:
                body = write_body(number) if number % 5 == 0 else None
                method, path = ("POST", configmaps_path(self.namespace)) if body else ("GET", READ_PATH)
                with self._timed("new connections"):
                    reply = client.request(method, path, body, seconds=DEADLINE_SECONDS)
                if body and reply.ok:
                    self._acknowledged[body["metadata"]["name"]] = time.monotonic()
                if not reply.ok:
                    self._fail("new connections", (reply.status, reply.body[:200]))
            except NoReply as error:
                self._fail("new connections", error)

    def _kept_connection(self) -> None:
        curl = self._curl()
        curl.setopt(pycurl.URL, f"{self._address}{READ_PATH}")
        curl.setopt(pycurl.TIMEOUT_MS, int(DEADLINE_SECONDS * 1000))
        curl.setopt(pycurl.VERBOSE, 1)
        for _ in self._ticks("kept connection", KEPT_PER_SECOND):
            answer, told = bytearray(), []
            curl.setopt(pycurl.WRITEFUNCTION, answer.extend)
            curl.setopt(
                pycurl.DEBUGFUNCTION,
                lambda kind, text, told=told: told.append((_now(), kind, text)) if kind < 3 else None,
            )
            try:
                with self._timed("kept connection"):
                    curl.perform()
            except pycurl.error as error:
                self._fail("kept connection", (error, told))
            else:
                status, version = curl.getinfo(pycurl.RESPONSE_CODE), curl.getinfo(pycurl.INFO_HTTP_VERSION)
                if status != 200 or version != pycurl.CURL_HTTP_VERSION_2_0:
                    self._fail("kept connection", (version, status, bytes(answer[:200])))
            self.connections += curl.getinfo(pycurl.NUM_CONNECTS)

    def _watch(self, version: str) -> None:
        """Each on a connection of its own: the server that ended the last one may be about to go.

        Each goes on where the one before was, however that ended, as client-go's do.
        """
        self._version = version
        while not self._over.is_set():
            self.watches += 1
            try:
                self._one_watch(configmaps_path(self.namespace))
            except (pycurl.error, ValueError) as error:
                if not self._over.is_set():
                    self._fail("watch", error)
                    time.sleep(0.2)

    def _one_watch(self, path: str) -> None:
        unfinished, curl = b"", self._curl()

        def take(data: bytes) -> None:
            nonlocal unfinished
            *lines, unfinished = (unfinished + data).split(b"\n")
            for event in map(json.loads, lines):
                if event["type"] == "ERROR":
                    raise ValueError(f"watch: {event['object']}")
                metadata = event["object"]["metadata"]
                self._version = metadata["resourceVersion"]
                if event["type"] == "ADDED":
                    self._seen[metadata["name"]] = time.monotonic()

        watch = f"watch=1&resourceVersion={self._version}&allowWatchBookmarks=true&timeoutSeconds=600"
        curl.setopt(pycurl.URL, f"{self._address}{path}?{watch}")
        curl.setopt(pycurl.WRITEFUNCTION, take)
        curl.perform()
        status, seconds = curl.getinfo(pycurl.RESPONSE_CODE), curl.getinfo(pycurl.STARTTRANSFER_TIME)
        if status != 200 or seconds > DEADLINE_SECONDS:
            raise ValueError(f"watch: {status} after {seconds:.2f} s")

    @property
    def _address(self) -> str:
        return f"https://{self.target.address}:{self.target.port}"

    def _curl(self) -> pycurl.Curl:
        """HTTP/2, with the administrator's certificate from memory."""
        curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(DEADLINE_SECONDS * 1000))
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.CAINFO_BLOB, self.target.ca)
        curl.setopt(pycurl.SSLCERT_BLOB, self.target.certificate)
        curl.setopt(pycurl.SSLKEY_BLOB, self.target.key)
        return curl


def _now() -> str:
    moment = time.time()
    return f"{time.strftime('%T', time.localtime(moment))}.{int(moment % 1 * 1000):03}"
