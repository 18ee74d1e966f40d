"""The newest snapshot restores: proved on a scratch etcd and API server beside haplane, the cluster untouched."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.limits import Limits
from haplane.errors import BadInput, Refused


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The cluster's newest. Raises Refused where no snapshots are taken or no identity opens them."""
    if wanted is not None:
        raise BadInput("this drill is about the cluster's snapshots", where="HOST", next_step="leave HOST out")
    inventory = context.inventory
    identity = inventory.cluster.drills.identity
    if inventory.cluster.snapshots is None:
        raise Refused("no snapshots are taken", where=inventory.path, next_step='set cluster["snapshots"]')
    if identity is None:
        raise Refused(
            "nothing here can decrypt a snapshot",
            where=inventory.path,
            next_step='set cluster["drills"]["identity"] to the path of an age identity',
        )
    return Fault(
        host=inventory.cluster.name,
        role="the newest snapshot",
        announcement="It restores the newest snapshot on a scratch etcd and API server on this machine; the cluster "
        "is not touched.",
        work=lambda: context.haplane(
            "snapshot", "verify", inventory.path, "latest", "--identity", identity, "--deep"
        ),
        at_most=0.0,
        runs_verbs=True,
    )


DRILL = Drill(
    "backup-restores",
    "Restore the newest snapshot beside the cluster and read every object of it.",
    plan,
    Limits(read_gap=0, write_gap=0, failed_requests=0),
)
