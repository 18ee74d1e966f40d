"""A node dies: when are its pods deleted, replaced and serving again? Three drills: what is done about it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from haplane.domain.status import Status
from haplane.drills.drill import HELD_SECONDS, Drill, DrillContext, Fault, power_cut
from haplane.drills.limits import Limits
from haplane.drills.pods.dead_node import BACK_AFTER_SECONDS, After, DeadNode
from haplane.drills.targets import a_node
from haplane.errors import Refused


def plan(context: DrillContext, status: Status, wanted: str | None, *, after: After) -> Fault:
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
    name, role = a_node(context, status, wanted)
    cut = power_cut(context, status, name, role)
    pods = DeadNode(context, name, after)
    left_out = f" It leaves out pods with volumes: {pods.no_volumes}." if pods.no_volumes else ""
    return replace(
        cut,
        announcement=f"It cuts the power of {name} ({role}), where it has started a pod of each kind; {after.value}; "
        f"then it restores the power, after {pods.longest:.0f} s at most.{left_out}",
        prepare=pods.prepare,
        work=pods.watch,
        then=pods.wait_for_the_rest,
        clean_up=pods.clean_up,
        measured=pods.figures,
        at_least=BACK_AFTER_SECONDS if after is After.BACK else 0.0,
        at_most=pods.longest + HELD_SECONDS,
    )


TAINTED = Drill(
    "dead-node-pods",
    "Cut a node's power (HOST, a worker, or a master), taint it out-of-service, and time what becomes of its pods.",
    partial(plan, after=After.TAINTED),
)
UNTAINTED = Drill(
    "dead-node-pods-untainted",
    "dead-node-pods without the taint: what the cluster does by itself, which takes minutes.",
    partial(plan, after=After.OFF),
    Limits(healthy_again=300),
)
BACK = Drill(
    "dead-node-pods-back",
    f"dead-node-pods without the taint, and with the power back after {BACK_AFTER_SECONDS:.0f} s.",
    partial(plan, after=After.BACK),
    Limits(healthy_again=300),
)
