"""One API server dies and its kubelet starts it again."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, refuse_fatal, shell
from haplane.drills.targets import a_master
from haplane.scripts import script


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """On the master that was named, or one that does not lead etcd."""
    name, role = a_master(context, status, wanted)
    refuse_fatal(context, status, name)
    return Fault(
        host=name,
        role=role,
        announcement=f"It kills the API server of {name} ({role}); the kubelet there starts it again.",
        parts=(shell(context.inventory.host(name), script("kill_apiserver"), "true"),),
    )


DRILL = Drill("kill-apiserver", "Kill the API server of one master: HOST, or one that does not lead etcd.", plan)
