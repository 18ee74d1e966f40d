"""pyinfra deploys about etcd's members: from the first quorum to a member that leaves."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from haplane.deploys.single import single
from haplane.operations import etcd, timeouts, units

QUORUM_SECONDS = 80
"""For a member to read through quorum: the others are up, and it has its data."""

hand_over = single(etcd.hand_over_leadership, "Hand over leadership", timeouts.LOCAL, name="hand_over")
remove_member = single(etcd.remove_member, "Remove the etcd member {member}", timeouts.MEMBER_CHANGE)
move_etcd_data = single(
    etcd.move_data, "Move etcd's old data to aside-{timestamp}", timeouts.LOCAL, name="move_etcd_data"
)
add_learner = single(etcd.add_learner, "Add {member} as a learner", timeouts.MEMBER_CHANGE)
start_learner = single(etcd.start_learner, "Start etcd as a learner", timeouts.MEMBER_CHANGE)
promote_learner = single(
    etcd.promote, "Promote {member} once it has caught up", timeouts.LEARNER, name="promote_learner"
)
clear_alarms = single(etcd.clear_alarms, "Clear etcd's alarms", timeouts.LOCAL)
compact_etcd = single(etcd.compact, "Compact etcd", timeouts.COMPACTION, name="compact_etcd")
discard_kept = single(etcd.discard, "Remove old etcd data", timeouts.MANY_FILES, name="discard_kept")


@deploy("Form the etcd cluster")
def form_etcd(drop_in: str) -> None:
    """All members start together; none is ever allowed to do so again once they are healthy."""
    etcd.start_new_cluster(drop_in=drop_in, name="Start etcd members together", _timeout=timeouts.LOCAL)
    etcd.forbid_bootstrap(seconds=QUORUM_SECONDS, name="Wait for quorum", _timeout=timeouts.QUORUM)


@deploy("Start etcd members")
def start_etcd() -> None:
    """Those that are down, all together: they may need each other for a majority. Nothing that serves is touched."""
    etcd.user(name="Create etcd's user", _timeout=timeouts.LOCAL)
    units.up(unit="etcd", name="Start etcd", _timeout=timeouts.LOCAL)
    etcd.take_up_files(name="Serve with the files that there are now", _timeout=timeouts.LOCAL)
    etcd.wait_for_member(seconds=QUORUM_SECONDS, name="Wait until it reads through quorum", _timeout=timeouts.QUORUM)


@deploy("Restart the etcd member")
def restart_etcd() -> None:
    """One member, after it has handed leadership over; the caller sees to it that quorum stays without it."""
    etcd.user(name="Create etcd's user", _timeout=timeouts.LOCAL)
    etcd.hand_over_leadership(name="Hand over leadership", _timeout=timeouts.LOCAL)
    units.up(unit="etcd", changed=True, name="Restart etcd", _timeout=timeouts.QUORUM)
    etcd.wait_for_member(seconds=QUORUM_SECONDS, name="Wait until it reads through quorum", _timeout=timeouts.QUORUM)


@deploy("Forbid a bootstrap")
def forbid_bootstrap() -> None:
    """It votes: from now on it never starts with an empty disk."""
    etcd.forbid_bootstrap(seconds=QUORUM_SECONDS, name="Wait until it reads through quorum", _timeout=timeouts.QUORUM)


@deploy("Defragment the etcd member")
def defragment_etcd() -> None:
    """One member, after it has handed leadership over; the caller sees to it that quorum stays without it."""
    etcd.hand_over_leadership(name="Hand over leadership", _timeout=timeouts.LOCAL)
    etcd.defragment(name="Defragment the database", _timeout=timeouts.LEARNER)
    etcd.wait_for_member(seconds=QUORUM_SECONDS, name="Wait until it reads through quorum", _timeout=timeouts.QUORUM)
