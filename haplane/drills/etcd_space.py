"""etcd runs out of space: its disk, or its quota. Two drills."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, refuse_fatal, shell
from haplane.drills.limits import Limits
from haplane.drills.targets import a_follower
from haplane.scripts import script


def plan_disk(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """A follower's; it stops by itself, as etcd does when it cannot write its log."""
    name = a_follower(context, status, wanted)
    refuse_fatal(context, status, name)
    return Fault(
        host=name,
        role="an etcd follower",
        announcement=f"It moves etcd on {name} (a follower) to a small file system, fills it, and moves it back.",
        parts=(shell(context.inventory.host(name), script("fill_etcd_disk"), script("fill_etcd_disk_undo")),),
        at_least=20.0,
    )


def plan_quota(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """A follower's, which makes the whole cluster refuse writes until `haplane up` has made room."""
    name = a_follower(context, status, wanted)
    refuse_fatal(context, status, name)
    path = context.inventory.path
    return Fault(
        host=name,
        role="an etcd follower",
        announcement=f"It lowers etcd's quota on {name} and fills it, so the cluster refuses WRITES until "
        "`haplane up` has compacted, defragmented one member at a time, and cleared the alarm.",
        parts=(shell(context.inventory.host(name), script("exhaust_etcd_quota"), script("exhaust_etcd_quota_undo")),),
        # The drop-in is still there, which `up` reports as a difference: exit code 6.
        work=lambda: context.haplane("up", path, "--yes", codes=(0, 6)),
        runs_verbs=True,
    )


DISK = Drill(
    "disk-full-etcd", "Fill the disk of one etcd follower (a small one made for it), HOST or any.", plan_disk
)
QUOTA = Drill(
    "etcd-quota",
    "Reach etcd's quota (alarm NOSPACE): writes are refused until `haplane up` has made room.",
    plan_quota,
    Limits(read_gap=3, write_gap=180),
)
