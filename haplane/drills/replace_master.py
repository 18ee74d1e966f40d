"""A master loses its power and its disk; a new host takes its name and place."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, refuse_fatal
from haplane.drills.limits import Limits
from haplane.drills.targets import a_master


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The master that was named, or one that does not lead etcd."""
    name, role = a_master(context, status, wanted)
    refuse_fatal(context, status, name)
    return Fault(
        host=name,
        role=role,
        announcement=f"It cuts the power of {name} ({role}) and ERASES its disk; `haplane node repair` replaces it.",
        parts=(context.machines.power_cut((name,)),),
        work=lambda: context.machines.wipe((name,)),
        then=lambda: context.haplane("node", "repair", context.inventory.path, name, "--yes"),
        off=(name,),
        runs_verbs=True,
    )


DRILL = Drill(
    "replace-master",
    "Erase one master, HOST or one that does not lead etcd, and replace it with `haplane node repair`.",
    plan,
    Limits(healthy_again=600),
    destroys=True,
)
