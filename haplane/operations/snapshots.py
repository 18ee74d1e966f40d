"""Snapshots on a member."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import shell


@operation()
def remove(timer: str, service: str, root: str, files: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Stop taking snapshots, and remove all but the snapshots themselves.

    + timer: its unit
    + service: its unit, of which a run may be under way
    + root: the agent's directory
    + files: everything else
    """
    yield shell("remove_snapshots", files, timer=timer, service=service, root=root)
