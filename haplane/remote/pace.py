"""A stream that never holds more on its way than a host takes in about a second, so that heartbeats get through.

A line's queue is shared: on 5 Mbit/s the 16 MiB that kernels, ssh and routers would take at once are 25 s, in which
nothing else arrives, and after 8 s without a heartbeat a host has given its lock up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

FLOOR_BYTES = 128 << 10
"""On its way at any time: fast lines get more as soon as the first of it has arrived."""
PIECE_BYTES = 64 << 10
QUEUE_SECONDS = 1.0
BRIEF_SECONDS = 0.05
"""A rate is not measured over less."""


class Pace:
    """How much may be on its way, by what the host has reported to have. Times are those of ``clock``, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])
        self.arrived = 0

    def report(self, arrived: int) -> None:
        """The host has so many bytes of the stream."""
        now, self.arrived = self._clock(), max(arrived, self.arrived)
        self._seen.append((now, self.arrived))
        while len(self._seen) > 2 and self._seen[1][0] <= now - QUEUE_SECONDS:
            self._seen.popleft()

    @property
    def window(self) -> int:
        """What may be on its way now: what arrived within the last QUEUE_SECONDS, scaled to them."""
        since, before = self._seen[0]
        seconds = max(self._seen[-1][0] - since, BRIEF_SECONDS)
        return max(FLOOR_BYTES, int((self.arrived - before) / seconds * QUEUE_SECONDS))


class PacedPipe:
    """Writes to a pipe in pieces, each when there is room for it; reports come from another thread."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._pace = Pace()
        self._sent = 0
        self._room = threading.Condition()
        self._ended = False
        self.moved_at = time.monotonic()
        """When the host last reported to have got further, or, once it was sent all of it, last reported at all."""
        self.closed_at: float | None = None

    @property
    def arrived(self) -> int:
        """Bytes that the host has."""
        return self._pace.arrived

    def report(self, arrived: int) -> bool:
        """The host has so many bytes, perhaps still: it reports that too while it imports what it has.

        False where that is more than it was sent.
        """
        with self._room:
            if arrived > self._sent:
                return False
            if arrived > self.arrived or self.closed_at is not None:
                self.moved_at = time.monotonic()
            self._pace.report(arrived)
            self._room.notify_all()
        return True

    def end(self) -> None:
        """No more reports come: whoever writes meets the broken pipe."""
        with self._room:
            self._ended = True
            self._room.notify_all()

    def write(self, data: bytes) -> int:
        """All of it. Raises OSError when the other end is gone."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            with self._room:
                self._room.wait_for(lambda: self._ended or self._sent - self._pace.arrived < self._pace.window)
                self._sent += len(piece)
            self._pipe.write(piece)
            self._pipe.flush()
        return len(data)

    def close(self) -> None:
        """The end of the stream."""
        self._pipe.close()
        self.closed_at = self.moved_at = time.monotonic()
