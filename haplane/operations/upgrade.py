"""Switching a host to an upgrade's staged files, and back."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import python, shell


@operation()
def switch(paths: Sequence[str], new: str, old: str) -> Generator[StringCommand, None, None]:
    """Put staged files in their places, each by a rename, and keep those that were there.

    + paths: the places
    + new: the directory of the staged files
    + old: the directory for those that were there
    """
    yield python("switch_files", "switch", new, old, *paths)


@operation()
def switch_back(paths: Sequence[str], new: str, old: str) -> Generator[StringCommand, None, None]:
    """The reverse of :func:`switch`: files that were kept get their places back.

    + paths: the places
    + new: the directory of the staged files
    + old: the directory of those that were kept
    """
    yield python("switch_files", "back", new, old, *paths)


@operation()
def wait_for_node(node: str, version: str) -> Generator[StringCommand, None, None]:
    """Wait until a node is Ready and its kubelet reports a version.

    + node: its name
    + version: of Kubernetes, without a leading v
    """
    yield shell("wait_for_node", node=node, version=version)


@operation()
def wait_for_rollouts(workloads: Sequence[str], seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until these run everywhere as they were last applied.

    + workloads: NAMESPACE/KIND/NAME of each
    + seconds: for how long, each
    """
    yield shell("wait_for_rollouts", workloads, deadline_seconds=str(seconds))
