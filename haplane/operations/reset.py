"""Removing a cluster from a host."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import shell


@operation()
def reset(
    timestamp: str, pod_network: str, snapshot_directory: str, pushed: Sequence[str]
) -> Generator[StringCommand, None, None]:
    """Stop everything, move data and keys to ``/var/lib/haplane-reset/TIMESTAMP``, remove the rest.

    + timestamp: names the directory
    + pod_network: whose routes are removed
    + snapshot_directory: whose snapshots are kept with the data
    + pushed: the bundle's files
    """
    yield shell("reset", pushed, timestamp=timestamp, pod_network=pod_network, snapshots=snapshot_directory)
