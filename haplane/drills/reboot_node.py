"""A node reboots quickly: its pods are not moved, their containers start again."""

from __future__ import annotations

from dataclasses import replace

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, power_cut
from haplane.drills.pods.rebooted_pods import RebootedPods
from haplane.drills.targets import a_node


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """The node that was named, a worker, or a master that does not lead etcd."""
    name, role = a_node(context, status, wanted)
    pods = RebootedPods(context, name)
    return replace(
        power_cut(context, status, name, role),
        announcement=f"It cuts the power of {name} ({role}), where it has started a pod of each kind, and restores "
        "it at once; it shows what became of each pod and of what its empty directories held.",
        prepare=pods.prepare,
        work=pods.follow,
        then=pods.wait,
        clean_up=pods.clean_up,
        measured=pods.figures,
        at_most=0.0,
    )


DRILL = Drill(
    "reboot-node",
    "Cut a node's power (HOST, a worker, or a master) and restore it at once, with a pod of each kind on it.",
    plan,
)
