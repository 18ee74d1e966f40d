"""etcd loses most or all of its data, and `haplane restore` brings the cluster back. Two drills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haplane.domain import host_paths
from haplane.domain.quorum import majority
from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.limits import Limits
from haplane.errors import BadInput
from haplane.private import make_private, state_directory
from haplane.scripts import script

RESTORED = Limits(read_gap=600, write_gap=600, healthy_again=600, lost_writes=None)


def plan_quorum(context: DrillContext, _status: Status, wanted: str | None) -> Fault:
    """A majority of the members lose their data; a survivor still has its own."""
    members = [host.name for host in context.inventory.etcd]
    return _lost(context, wanted, members[: majority(len(members))], "a majority of etcd's members")


def plan_everything(context: DrillContext, _status: Status, wanted: str | None) -> Fault:
    """All members do; what is left is a snapshot that the drill takes beforehand, and the keys on the masters."""
    file = state_directory() / "drill-snapshot.db"
    member = context.inventory.etcd[0]

    def take() -> None:
        context.executor.run(member, "sh", "-c", script("save_drill_snapshot"))
        make_private(file.parent)
        file.unlink(missing_ok=True)
        file.touch(0o600)
        file.write_bytes(context.executor.run(member, "cat", host_paths.FAULT_SNAPSHOT))

    every = [host.name for host in context.inventory.etcd]
    lost = _lost(context, wanted, every, "all of etcd's members", "--file", str(file), "--unsigned")
    return replace(lost, prepare=take)


def _lost(context: DrillContext, wanted: str | None, hosts: Sequence[str], role: str, *words: str) -> Fault:
    if wanted is not None:
        raise BadInput("this drill chooses its hosts", where="HOST", next_step="leave HOST out")
    names, inventory = ", ".join(hosts), context.inventory
    restore = ("restore", inventory.path, *words, "--accept-loss", "--yes", "--confirm", inventory.cluster.name)
    return Fault(
        host=names,
        role=role,
        announcement=f"It cuts the power of {names} ({role}) and ERASES etcd's data there: the API is DOWN until "
        "`haplane restore` has brought it back. Writes newer than the data that is left are LOST.",
        parts=(context.machines.power_cut(hosts),),
        work=lambda: context.machines.wipe(hosts, "etcd"),
        then=lambda: context.haplane(*restore),
        at_most=0.0,
        off=hosts,
        runs_verbs=True,
    )


QUORUM = Drill(
    "lose-quorum-and-restore",
    "Erase the data of a majority of etcd's members and restore from a survivor: the API is down meanwhile.",
    plan_quorum,
    RESTORED,
    is_outage=True,
    destroys=True,
)
EVERYTHING = Drill(
    "lose-everything-and-restore",
    "Erase all of etcd's data and restore a snapshot: the API is down meanwhile.",
    plan_everything,
    RESTORED,
    is_outage=True,
    destroys=True,
)
