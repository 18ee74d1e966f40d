"""A node dies and stays dead: when are its pods deleted, replaced and serving again? Two drills."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault, power_cut
from haplane.drills.limits import Limits
from haplane.drills.pod_watch import PodWatch
from haplane.drills.targets import a_node
from haplane.errors import Refused

SERVING_SECONDS = 90.0
DEFAULT_SECONDS = 480.0


def plan(context: DrillContext, status: Status, wanted: str | None, *, tainted: bool) -> Fault:
    """The node that was named, a worker, or a master that does not lead etcd.

    Raises Refused where a host without power boots by itself: its Node must not be tainted while it may run.
    """
    if not context.machines.keeps_off:
        raise Refused(
            "no host can be kept off here, and a node that may be running must not be tainted out-of-service",
            where=context.inventory.path,
            why=f"the driver {context.machines.driver} can only reboot hosts",
            next_step='give the commands of your power switch: cluster["drills"]["power"]',
        )
    name, role = a_node(context.inventory, status, wanted)
    watch = PodWatch(context, name, tainted=tainted, limit=SERVING_SECONDS if tainted else DEFAULT_SECONDS)
    then = "it taints the Node out-of-service once it is NotReady" if tainted else "it waits for Kubernetes by itself"
    cut = power_cut(context, status, name, role)
    return replace(
        cut,
        announcement=f"It cuts the power of {name} ({role}), where it has started a pod of each kind; {then}, until "
        "all of them serve elsewhere; then it restores the power.",
        prepare=watch.prepare,
        work=watch.watch,
        clean_up=watch.clean_up,
        measured=watch.figures,
        at_most=DEFAULT_SECONDS,
    )


TAINTED = Drill(
    "dead-node-pods",
    "Cut a node's power, taint it out-of-service, and time what becomes of its pods: HOST, a worker, or a master.",
    partial(plan, tainted=True),
)
UNTAINTED = Drill(
    "dead-node-pods-untainted",
    "The same without the taint: what the cluster does by itself, which takes minutes.",
    partial(plan, tainted=False),
    Limits(healthy_again=300),
)
