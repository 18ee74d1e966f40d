"""Wait for nodes after changes, before the cluster's health is verified."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import wait_for_nodes


def await_nodes(context: Context) -> None:
    """Wait until nodes are Ready and DNS is available; what does not come in time is no error."""
    nodes = [host.name for host in context.reachable(context.inventory.nodes)]
    everywhere = not context.observation.unreachable
    context.deploy([context.some_master()], wait_for_nodes, nodes=nodes, dns_everywhere=everywhere)


AWAIT_NODES = Phase(
    "Wait until nodes are Ready", (), await_nodes, breakable=True, when=lambda context: context.result.changed
)
