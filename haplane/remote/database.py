"""A plain etcd database to and from members: through OpenSSH, readable by root alone, never on a command line."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.remote.executions import Execution, executing
from haplane.remote.openssh import ended, failed, logged, ssh_command
from haplane.scripts import script
from haplane.streams import DATABASE_BYTES, Tail, save

DEADLINE_SECONDS = 1800
RESERVE_BYTES = 1 << 30
"""Of this machine's disk that is never filled with what hosts send."""


def send_database(hosts: Sequence[Host], path: Path, sha256: str, target: str) -> None:
    """The file at ``path`` to ``target`` on all hosts at once; one that has it, or has used it up, takes nothing.

    Raises HaplaneError for the first host that does not take it, DeadlinePassed when one hangs.
    """
    ends = time.monotonic() + DEADLINE_SECONDS
    streams = []
    try:
        for host in hosts:
            with path.open("rb") as content:
                command = ssh_command(host, "sh", "-c", script("receive_database", file=target, sha256=sha256))
                process = subprocess.Popen(command, stdin=content, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            streams.append((host, process, Tail(process), Execution.begin(host.name, f"(receive) {target}")))
        failures = [failure for stream in streams if (failure := _failure(*stream, ends)) is not None]
    finally:
        for _, process, *_ in streams:  # of an interrupted run none goes on; the others have ended
            process.kill()
            process.wait()
    if failures:
        raise failures[0]


def _failure(
    host: Host, stream: subprocess.Popen[bytes], tail: Tail, execution: Execution, ends: float
) -> HaplaneError | None:
    try:
        code = stream.wait(max(0.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        stream.kill()
        execution.end(None)
        return _late(host)
    execution.end(code, tail.read().decode(errors="replace"))
    return ended(host, "copying the database", code, tail.read()) if code else None


def _late(host: Host) -> DeadlinePassed:
    return DeadlinePassed(
        f"copying the database to or from {host.name} did not end within {DEADLINE_SECONDS} s",
        where=host.name,
        next_step="check the network to it, then re-run",
    )


def fetch_output(host: Host, text: str, target: Path) -> None:
    """What this shell script writes on the host, to ``target``, a new file that is ours alone.

    Raises as :func:`send_database` does, and HaplaneError when it is larger than DATABASE_BYTES or than what this
    machine's disk has to spare; then nothing is left of it.
    """
    room = shutil.disk_usage(target.parent).free - RESERVE_BYTES
    command = ssh_command(host, "sh", "-c", text)
    try:
        with executing(host.name, text) as execution:
            done = save(command, target, deadline_seconds=DEADLINE_SECONDS, most=max(0, min(DATABASE_BYTES, room)))
            execution.code, execution.output = done.code, logged(done)
    except TimeoutError:
        raise _late(host) from None
    if done.cut is not None:
        why = f"{done.cut}, which is all that fits into {target.parent}"
        raise failed(host, "copying the database", done.cut if room > DATABASE_BYTES else why)
    if done.code != 0:
        raise ended(host, "copying the database", done.code, done.stderr)
