"""One container of a pod of two fails: what becomes of the other one and of the pod, under each policy."""

from __future__ import annotations

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.pods.failing_pods import FailingPods
from haplane.errors import BadInput


def plan(context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """No host is touched, so none can be named."""
    if wanted is not None:
        raise BadInput("this drill is about pods, wherever they run", where="HOST", next_step="leave HOST out")
    pods = FailingPods(context.client, context.inventory.masters[0].name)
    return Fault(
        host=context.inventory.cluster.name,
        role="pods of its own",
        announcement="It starts pods of two containers of which one fails, one pod for each policy, in a namespace "
        "of its own, and shows what becomes of each; no host is touched.",
        work=pods.work,
        clean_up=pods.clean_up,
        measured=pods.figures,
        at_most=0.0,
    )


DRILL = Drill(
    "container-fails",
    "Let one container of a pod fail, under each policy, and show what becomes of the others.",
    plan,
)
