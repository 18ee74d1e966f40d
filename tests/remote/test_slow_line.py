"""A push over a slow line: heartbeats get through, so the run keeps its lock."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue

import pytest
from other_run import Controller

from haplane.config.model import Inventory

from .test_lock import Machines

pytestmark = pytest.mark.timed
BYTES_PER_SECOND = 5_000_000 / 8
ONE_WAY_SECONDS = 0.15
SIZE = 12_000_000
"""Longer than a host waits for a heartbeat, several times over."""


class Line:
    """Relays connections to a port: all that goes one way shares one queue without end, as a router's may be."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._queues: tuple[Queue[tuple[float, socket.socket, bytes]], ...] = (Queue(), Queue())
        for queue in self._queues:
            threading.Thread(target=self._carry, args=(queue,), daemon=True).start()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:  # the test is over
                return
            theirs = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [ours, theirs]
            for one, other, queue in ((ours, theirs, self._queues[0]), (theirs, ours, self._queues[1])):
                threading.Thread(target=self._take, args=(one, other, queue), daemon=True).start()

    def close(self) -> None:
        """Nothing comes through any more."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @staticmethod
    def _take(one: socket.socket, other: socket.socket, queue: Queue[tuple[float, socket.socket, bytes]]) -> None:
        data = b"x"
        while data:
            try:
                data = one.recv(1500)
            except OSError:
                data = b""
            queue.put((time.monotonic(), other, data))

    @staticmethod
    def _carry(queue: Queue[tuple[float, socket.socket, bytes]]) -> None:
        free_at = 0.0
        while True:
            came_at, to, data = queue.get()
            free_at = max(free_at, came_at) + len(data) / BYTES_PER_SECOND
            time.sleep(max(0.0, free_at + ONE_WAY_SECONDS - time.monotonic()))
            try:
                if data:
                    to.sendall(data)
                else:
                    to.shutdown(socket.SHUT_WR)
            except OSError:
                continue


@pytest.fixture
def inventory(machines: Machines) -> Iterator[Inventory]:
    """All hosts are at the far end of lines of their own."""
    found = machines[0]
    lines: list[Line] = []

    def line_to(port: int) -> int:
        lines.append(Line(port))
        return lines[-1].port

    def far(group: str) -> tuple[object, ...]:
        return tuple(
            host.model_copy(
                update={"ssh": host.ssh.model_copy(update={"port": line_to(host.ssh.port)})}  # type: ignore[arg-type]
            )
            for host in getattr(found, group)
        )

    yield found.model_copy(update={"masters": (hosts := far("masters")), "etcd": hosts, "load_balancers": ()})
    for line in lines:
        line.close()


@pytest.fixture
def controller(inventory: Inventory, tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(inventory, tmp_path)
    yield controller
    controller.kill()


def test_the_lock_survives_a_push_over_5_megabits_and_300_milliseconds(controller, tmp_path):
    assert controller.says(60) == "held"
    source = tmp_path / "bulk"
    source.write_bytes(os.urandom(SIZE))
    began = time.monotonic()
    controller.do(f"push {source} /var/lib/haplane/bulk")
    assert controller.says(120) == "done"
    assert time.monotonic() - began > SIZE / BYTES_PER_SECOND  # the line was as slow as it should be
    controller.do("shell true")
    assert controller.says(30) == "done"
