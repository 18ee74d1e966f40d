"""etcd on one host: started, restarted and moved away; and the cluster's members, changed through any of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from haplane.domain import host_paths
from haplane.facts.paths import ExistingPaths
from haplane.operations.run import shell


@operation()
def user() -> Generator[StringCommand, None, None]:
    """Create the user that etcd's unit names, and its group; etcd does not start without."""
    yield shell("etcd_user")


@operation()
def start_new_cluster(drop_in: str) -> Generator[StringCommand, None, None]:
    """Start this member so that it forms a new cluster with the others named in its unit.

    + drop_in: the unit's drop-in that says ``new``; it lives in /run, so a power cut takes it away
    """
    if _was_a_member():
        return
    yield shell("start_etcd", drop_in=drop_in)


@operation()
def forbid_bootstrap(seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until this member reads through quorum, then never let it form a cluster again.

    + seconds: for how long
    """
    if _was_a_member():
        return
    yield shell("wait_for_member", deadline_seconds=str(seconds))
    yield shell("forbid_bootstrap")


def _was_a_member() -> bool:
    if host_paths.ETCD_BOOTSTRAPPED not in host.get_fact(ExistingPaths, paths=[host_paths.ETCD_BOOTSTRAPPED]):
        return False
    host.noop("the member has been part of a cluster before")
    return True


@operation()
def take_up_files() -> Generator[StringCommand, None, None]:
    """Restart a member that was started before its files were written, and that does not serve with them."""
    yield shell("take_up_etcd_files")


@operation()
def move_data(timestamp: str) -> Generator[StringCommand, None, None]:
    """Stop etcd and move its data to ``/var/lib/etcd/aside-TIMESTAMP``: this host's member is no more.

    + timestamp: names the directory
    """
    yield shell("move_etcd_data", timestamp=timestamp)


@operation()
def discard(paths: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Remove data that are kept beside the member's own.

    + paths: directories in ``/var/lib/etcd``
    """
    yield shell("discard_etcd_data", paths)


@operation()
def remove_member(member: str) -> Generator[StringCommand, None, None]:
    """Remove a member from the cluster.

    + member: its ID in hexadecimal
    """
    yield shell("remove_member", id=member)


@operation()
def add_learner(member: str, peer_url: str) -> Generator[StringCommand, None, None]:
    """Add a member without a vote.

    + member: its name
    + peer_url: where it will be dialled
    """
    yield shell("add_learner", name=member, url=peer_url)


@operation()
def start_learner(drop_in: str) -> Generator[StringCommand, None, None]:
    """Start this host's member, which gets its data from the leader, and wait until it answers.

    + drop_in: the unit's drop-in that names the members
    """
    yield shell("start_etcd", drop_in=drop_in)
    yield shell("wait_for_etcd_start")


@operation()
def promote(member: str) -> Generator[StringCommand, None, None]:
    """Give a learner its vote as soon as it has caught up.

    + member: its ID in hexadecimal
    """
    yield shell("promote_learner", id=member)


@operation()
def clear_alarms() -> Generator[StringCommand, None, None]:
    """Clear all of etcd's alarms; one that still has a cause is raised again."""
    yield shell("clear_alarms")


@operation()
def compact() -> Generator[StringCommand, None, None]:
    """Give up every revision but the current one, on all members, and wait until their pages are free."""
    yield shell("compact")


@operation()
def defragment() -> Generator[StringCommand, None, None]:
    """Make this member's database as small as what it holds."""
    yield shell("defragment")


@operation()
def hand_over_leadership() -> Generator[StringCommand, None, None]:
    """Make another voter the leader if this member is it: writes go on without waiting for an election."""
    yield shell("hand_over_leadership")


@operation()
def wait_for_member(seconds: int) -> Generator[StringCommand, None, None]:
    """Wait until this member reads through quorum.

    + seconds: for how long
    """
    yield shell("wait_for_member", deadline_seconds=str(seconds))
