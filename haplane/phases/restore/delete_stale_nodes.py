"""Node objects that the restored data brought."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.observed import Node
from haplane.domain.steps.membership import MASTER_LABELS
from haplane.observation.decide import decide_steps
from haplane.observation.observe import observe
from haplane.observation.restore import up_to
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.procedures.delete_nodes import delete_nodes

GONE_SECONDS = 90.0
"""More than the 50 s after which a Node whose kubelet says nothing is no longer Ready."""


def delete_stale_nodes(context: Context) -> None:
    """Masters that the restored data knows and the inventory does not; before, there was nobody to ask.

    The data says that they are Ready, as they were when it was taken: they are waited for until the controllers know
    better, GONE_SECONDS at most. One that still is Ready then lives, and stays.
    """
    observe(context)

    def ready() -> Obstacle | None:
        names = [node.name for node in _stale_masters(context) if node.ready]
        return Obstacle(", ".join(names), "not in the inventory, but its Node is still Ready") if names else None

    look_until_clear(context, ready, GONE_SECONDS)
    if _stale_masters(context):
        decide_steps(context)
        delete_nodes(context)


def _stale_masters(context: Context) -> list[Node]:
    kubernetes, inventory = context.observation.kubernetes(), context.inventory
    ours = {host.name for host in inventory.nodes + inventory.leaving}
    nodes = kubernetes.nodes if kubernetes else ()
    return [node for node in nodes if set(node.labels) >= MASTER_LABELS and node.name not in ours]


DELETE_STALE_NODES = Phase(
    "Delete Node objects that the restored data brought", (), delete_stale_nodes, when=up_to("serving")
)
