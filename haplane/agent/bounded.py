"""An S3 server's responses, bounded in size and in time, whatever it sends and however slowly.

botocore reads a document whole before it parses it, and waits for each single byte as long as for the first one. Here
a document ends at :data:`DOCUMENT_BYTES`, every response has a deadline, and a body is taken as it arrives: the
caller sees each piece, and so can look at its own clock.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from haplane.agent.deadlines import Late, within
from haplane.errors import DeadlinePassed, Refused, Unreachable

DOCUMENT_BYTES = 8 << 20
"""Of a listing or an error; a page of 1000 of the longest keys is below 3 MiB."""
DOCUMENT_TYPE = re.compile(rb"<!DOCTYPE", re.I)
"""S3 sends none. What has one is a page of HTML, of which the status is enough, or a bomb: the entities that it
declares make a hundred bytes of each that is sent.
"""
PIECE_BYTES = 64 << 10
REQUEST_SECONDS = 120
"""From the request to the response's headers: a part of 8 MiB at the slowest rate allowed, and reserve."""
DOCUMENT_SECONDS = 120
PIECE_SECONDS = 60
"""For what comes between the pieces of a chunked body: a chunk's length, or trailers, may go on for ever."""


class BoundedSession:
    """Wraps botocore's HTTP session, and takes its place."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """The response, its body bounded. Raises botocore's errors, and DeadlinePassed."""
        bounds = (None, None) if request.stream_output else (DOCUMENT_BYTES, DOCUMENT_SECONDS)
        request.stream_output = True  # else the session reads it whole before we can bound it
        try:
            response = within(REQUEST_SECONDS, lambda: self._session.send(request))
        except Late as error:
            raise DeadlinePassed("the S3 server is too slow", why=f"no response: {error}") from None
        response.raw = Body(response.raw, *bounds)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class Body:
    """A response body, piece by piece. ``most`` bytes and ``seconds`` are None where its reader has bounds."""

    def __init__(self, raw: Any, most: int | None, seconds: float | None) -> None:
        self._raw = raw
        self._most = most
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._taken = 0

    def read(self, amount: int | None = None, **_: object) -> bytes:
        """What has arrived, at most ``amount`` bytes; all of it for None. Empty at the end.

        Raises Refused for more than was allowed, DeadlinePassed, Unreachable.
        """
        if amount is None:
            return b"".join(self.stream())
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see s3.py

        try:
            piece = self._piece(min(amount, PIECE_BYTES))
        except Late as error:
            raise DeadlinePassed("the S3 server is too slow", why=f"no more of a response: {error}") from None
        except HTTPError as error:
            raise Unreachable(
                "the S3 server stopped responding", why=f"{type(error).__name__}: {error}"[:300]
            ) from None
        self._taken += len(piece)
        if self._most is not None and self._taken > self._most:
            raise Refused("the S3 server's response is far too large", why=f"it has more than {self._most} bytes")
        if self._ends is not None and time.monotonic() > self._ends:
            raise DeadlinePassed("the S3 server is too slow", why=f"one response takes over {DOCUMENT_SECONDS} s")
        return piece

    def _piece(self, amount: int) -> bytes:
        """One whose length was announced ends with each arrival, or by the socket's timeout."""
        take: Callable[[], bytes] = partial(self._raw.read1, amount)
        return within(PIECE_SECONDS, take) if getattr(self._raw, "chunked", False) else take()

    def stream(self, amount: int = PIECE_BYTES, **_: object) -> Iterator[bytes]:
        """All of it, as it arrives; a document in one piece, empty if it has a document type."""
        pieces = iter(lambda: self.read(amount), b"")
        if self._most is None:
            yield from pieces
            return
        document = b"".join(pieces)
        yield b"" if DOCUMENT_TYPE.search(document) else document

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
