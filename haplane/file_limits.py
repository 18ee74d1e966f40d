"""Programs on this machine that can fill its disk only so far, whatever they are given (RLIMIT_FSIZE)."""

from __future__ import annotations

from collections.abc import Sequence

SPARE_BYTES = 1 << 30
"""That etcd's programs may write besides twice what they are given: their log has pieces of 64 MiB."""
BLOCK = 512  # ulimit's, by POSIX


def writing_at_most(most: int, command: Sequence[str]) -> list[str]:
    """The command, in which no file can grow past ``most`` bytes (RLIMIT_FSIZE): beyond that it is killed."""
    blocks = -(-most // BLOCK)
    return ["sh", "-c", f'ulimit -f {blocks} && exec "$@"', "sh", *command]


def limited(command: Sequence[str], given: int) -> list[str]:
    """The command, in which no file grows past what work on ``given`` bytes of etcd's data can need."""
    return writing_at_most(2 * given + SPARE_BYTES, command)
