"""Taking a cluster off a machine."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation


@cache
def _script() -> str:
    return (Path(__file__).parent / "on_host" / "reset.sh").read_text(encoding="utf-8")


@operation()
def take_off(
    stamp: str, pod_network: str, snapshot_directory: str, pushed: Sequence[str]
) -> Generator[StringCommand, None, None]:
    """Stop everything, move data and keys to ``/var/lib/haplane-reset/STAMP``, remove the rest.

    + stamp: a date that names the directory
    + pod_network: whose routes go
    + snapshot_directory: whose snapshots are kept with the data
    + pushed: the bundle's files
    """
    words = [QuoteString(word) for word in (stamp, pod_network, snapshot_directory, *pushed)]
    yield StringCommand("sh", "-c", QuoteString(_script()), "sh", *words)
