"""What hosts answer is untrusted: text in any encoding, and never more of it than fits into memory."""

from __future__ import annotations

import os
import select
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from paramiko import Channel, SSHException
from paramiko.channel import ChannelFile, ChannelStdinFile

MOST_BYTES = 64 << 20
"""More than any sound answer: the largest, a cluster's nodes as JSON, are a few MiB."""

COMPLAINT_BYTES = 1 << 20
LINE_BYTES = 100
"""What a line costs besides its text, as a Python string in a list and a turn of pyinfra's loop."""

CHUNK = 1 << 16
TOO_LONG = "its answer takes more than {:.0f} MiB"


class Lines:
    """One stream of a channel, as pyinfra iterates it. Past ``most`` bytes the channel is closed and that is said.

    A line counts for ``LINE_BYTES`` besides its own: without them `yes` says 32 million before it is cut.
    """

    def __init__(self, channel: Channel, receive: Callable[[int], bytes], most: int) -> None:
        self.channel = channel
        self._receive = receive
        self._most = most

    def __iter__(self) -> Iterator[str]:
        seen = 0
        unfinished: list[bytes] = []
        while data := self._receive(CHUNK):
            seen += len(data) + LINE_BYTES * data.count(b"\n")
            if seen > self._most:
                self.channel.close()
                yield TOO_LONG.format(self._most / (1 << 20))
                return
            first, *others = data.split(b"\n")
            unfinished.append(first)
            for line in others:
                yield _text(unfinished)
                unfinished = [line]
        if any(unfinished):
            yield _text(unfinished)


def _text(parts: Sequence[bytes]) -> str:
    return b"".join(parts).decode("utf-8", "replace")


Streams = tuple[ChannelStdinFile, ChannelFile, ChannelFile]


def bounded(execute: Callable[..., Streams], most: int = MOST_BYTES) -> Callable[..., Any]:
    """Paramiko's ``exec_command`` with bounded answers. Raises SSHException where the connection has ended.

    Paramiko tells of that end with EOFError as well, which pyinfra takes for a mistake of ours.
    """

    def run(*arguments: object, **options: object) -> tuple[ChannelStdinFile, Lines, Lines]:
        try:
            stdin, stdout, _ = execute(*arguments, **options)
        except EOFError:
            raise SSHException("the connection has ended") from None
        channel = stdout.channel
        complaints = Lines(channel, channel.recv_stderr, COMPLAINT_BYTES)
        return stdin, Lines(channel, channel.recv, most), complaints

    return run


@dataclass(frozen=True)
class Said:
    """How a local process ended. ``cut`` is why we ended it, or None."""

    code: int
    stdout: bytes
    stderr: bytes
    cut: str | None


def ask(command: Sequence[str], stdin: bytes, *, deadline_seconds: float, most: int = MOST_BYTES) -> Said:
    """Run a local process (ssh) to its end, with its answer in memory only; past a bound it is killed.

    Raises TimeoutError at the deadline. Nobody waits for what it started and left behind (a shared connection).
    """
    pipe = subprocess.PIPE
    ends = time.monotonic() + deadline_seconds
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
        try:
            stdout, stderr, whole = _converse(process, stdin, ends, (most, COMPLAINT_BYTES))
            if not whole:
                process.kill()
            code = process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            process.kill()  # nothing of it is left, whatever interrupts us
    return Said(code, stdout, stderr, None if whole else TOO_LONG.format(most / (1 << 20)))


def _converse(
    process: subprocess.Popen[bytes], stdin: bytes, ends: float, most: tuple[int, int]
) -> tuple[bytes, bytes, bool]:
    """What it says on both its streams, and whether that is all: at the first that grows too long we stop."""
    pipes = process.stdin, process.stdout, process.stderr
    to, *others = (pipe.fileno() for pipe in pipes if pipe is not None)
    said = {descriptor: bytearray() for descriptor in others}
    bounds = dict(zip(others, most, strict=True))
    left = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        selector.register(to, selectors.EVENT_WRITE)
        for descriptor in others:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = [key.fd for key, _ in selector.select(max(0.0, ends - time.monotonic()))]
            if time.monotonic() >= ends:
                raise TimeoutError
            for descriptor in ready:
                if descriptor == to:
                    left = _written(descriptor, left)
                    if not left and process.stdin is not None:
                        selector.unregister(descriptor)
                        process.stdin.close()
                elif data := os.read(descriptor, CHUNK):
                    said[descriptor] += data
                else:
                    selector.unregister(descriptor)
            if any(len(said[descriptor]) > bounds[descriptor] for descriptor in others):
                break
        whole = not selector.get_map()
    stdout, stderr = (bytes(said[descriptor]) for descriptor in others)
    return stdout, stderr, whole


def _written(descriptor: int, content: memoryview) -> memoryview:
    """What is left to write; nothing, once the other end has gone away, which says why itself."""
    try:
        return content[os.write(descriptor, content[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return content[:0]
