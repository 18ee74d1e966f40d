"""Replacing etcd's data on a host, in steps that may each be cut off anywhere and run again."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation

from haplane.operations.run import shell


@operation()
def rebuild_data(
    staging: str, *, bump: int, member: str, initial_cluster: str, token: str, peer_url: str
) -> Generator[StringCommand, None, None]:
    """Make this member's new data from the snapshot in the staging directory; nothing else is touched.

    + staging: the directory that holds ``snapshot.db``; the data will be in ``member``
    + bump: by how much revisions are raised, the same on every member
    + member: its name
    + initial_cluster: every member, NAME=URL with commas between
    + token: of the new cluster
    + peer_url: the member's own
    """
    yield shell(
        "rebuild_data",
        staging=staging,
        bump=str(bump),
        name=member,
        cluster=initial_cluster,
        token=token,
        url=peer_url,
    )


@operation()
def stop_serving() -> Generator[StringCommand, None, None]:
    """Stop the kubelet, the API server, the controllers and the scheduler of this master."""
    yield shell("stop_serving")


@operation()
def switch_data(staging: str, previous: str) -> Generator[StringCommand, None, None]:
    """Stop etcd, move its old data away, put the new data in its place.

    + staging: where the new data is
    + previous: where the old data is moved to
    """
    yield shell("switch_data", staging=staging, previous=previous)


@operation()
def start_restored() -> Generator[StringCommand, None, None]:
    """Start this member on its restored data, without waiting: it needs the others."""
    yield shell("start_restored_etcd")


@operation()
def wait_for_restored(seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until this member reads through quorum, then never let it start empty.

    + seconds: for how long
    """
    yield shell("wait_for_member", deadline_seconds=str(seconds))
    yield shell("forbid_bootstrap")


@operation()
def resume_serving() -> Generator[StringCommand, None, None]:
    """Let the API server, the controllers and the scheduler of this master start again, with a fresh kubelet."""
    yield shell("resume_serving")


@operation()
def restart_kubelet() -> Generator[StringCommand, None, None]:
    """On a worker: it has cached what the cluster no longer knows."""
    yield StringCommand("systemctl", "try-restart", "kubelet.service")


@operation()
def tidy(keep: str = "") -> Generator[StringCommand, None, None]:
    """Remove what restores have made on the way; what they keep is called otherwise.

    + keep: a directory in etcd's data directory that is still needed
    """
    yield shell("tidy_restores", keep=keep)
