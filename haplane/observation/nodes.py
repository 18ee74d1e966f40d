"""The hosts that a verb of nodes is about, and which of them have a Node."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.errors import Refused, Unreachable
from haplane.observation.waiting import Obstacle, look_until_clear

LATE_SECONDS = 15.0
"""API servers on busy hosts may be late with the nodes."""


def named_hosts(context: Context) -> list[Host]:
    """The hosts that were named, in the inventory's order; all of them where none was."""
    hosts, named = context.inventory.hosts, context.request.named
    return [host for host in hosts if not named or host.name in named]


def nodes_among(context: Context, hosts: Sequence[Host]) -> list[Host]:
    """Those that run pods and have a Node."""
    kubernetes = context.observation.kubernetes()
    known = {node.name for node in kubernetes.nodes} if kubernetes else set()
    nodes = (*context.inventory.nodes, *context.inventory.leaving)
    return [host for host in hosts if host in nodes and host.name in known]


def required_nodes(context: Context) -> list[str]:
    """Of the named hosts, also leaving ones. Raises Refused for one without pods, and as :func:`require_nodes`."""
    require_nodes(context)
    hosts = [host for host in context.inventory.leaving if host.name in context.request.named]
    hosts = [*named_hosts(context), *hosts]
    nodes = nodes_among(context, hosts)
    if others := [host.name for host in hosts if host not in nodes and host.name in context.request.named]:
        raise Refused(
            f"{', '.join(others)}: not a node of the cluster, so there is nothing to drain or uncordon",
            why="only masters and workers run pods",
            next_step="name masters or workers; `haplane status INVENTORY` lists them",
        )
    return [host.name for host in nodes]


def require_nodes(context: Context) -> None:
    """Raises Unreachable while no API server reports nodes."""

    def unknown() -> Obstacle | None:
        found = context.observation.kubernetes()
        return Obstacle("cluster", "waiting: no API server reports nodes") if found is None else None

    if look_until_clear(context, unknown, LATE_SECONDS):
        raise Unreachable("no API server reports nodes", next_step=f"`haplane status {context.inventory.path}`")
