"""A plain etcd database to and from members: through OpenSSH, readable by root alone, never on a command line."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from haplane.config.model import Host
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.remote.openssh import ended, failed, ssh_command

DEADLINE_SECONDS = 1800
TAKE = """
set -eu
umask 077
file=$1 sha256=$2
directory=$(dirname "$file")
mkdir -p "$directory"
if [ -e "$directory/ready" ] || echo "$sha256  $file" | sha256sum --check --status 2>/dev/null; then exit 0; fi
cat >"$file.part"
mv -f "$file.part" "$file"
"""
GIVE = """
set -eu
test -e "$1" && cat "$1"
"""


def send_database(hosts: Sequence[Host], path: Path, sha256: str, target: str) -> None:
    """The file at ``path`` to ``target`` on all hosts at once; one that has it, or has used it up, takes nothing.

    Raises HaplaneError for the first host that does not take it, DeadlinePassed when one hangs.
    """
    streams = []
    for host in hosts:
        with path.open("rb") as content:
            command = ssh_command(host, "sh", "-c", TAKE, "sh", target, sha256)
            streams.append(
                subprocess.Popen(command, stdin=content, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
    failures = [failure for one in zip(hosts, streams, strict=True) if (failure := _failure(*one)) is not None]
    if failures:
        raise failures[0]


def _failure(host: Host, stream: subprocess.Popen[bytes]) -> HaplaneError | None:
    try:
        _, complaint = stream.communicate(timeout=DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        stream.kill()
        return DeadlinePassed(
            f"passing the database to or from {host.name} did not end within {DEADLINE_SECONDS} s",
            where=host.name,
            next_step="check the network to it, then run the same command again",
        )
    return ended(host, "passing the database on", stream.returncode, complaint) if stream.returncode else None


def fetch_command(host: Host, script: str, target: Path, *words: str) -> None:
    """What a script on the host writes, to ``target``, ours alone. Raises as :func:`send_database` does."""
    target.touch(mode=0o600)
    with target.open("wb") as file:
        stream = subprocess.Popen(
            ssh_command(host, "sh", "-c", script, "sh", *words),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
        )
        if failure := _failure(host, stream):
            raise failure


def fetch_database(host: Host, path: str, target: Path, sha256: str) -> None:
    """A database that was sent there before. Raises HaplaneError when it is not there or no longer what it was."""
    fetch_command(host, GIVE, target, path)
    with target.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise failed(host, "cat", f"{path} is not what it was written as")
