"""Labels of masters and workers, and the masters' taint."""

from __future__ import annotations

from collections.abc import Iterable

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.desired.hosts import node_labels
from haplane.domain.plan import Kind


def mark_masters(context: Context) -> None:
    """The control-plane label, and the taint the inventory asks for."""
    nodes = context.plan.hosts(Kind.MARK)
    run_pods = context.inventory.cluster.masters_run_pods
    context.deploy(
        [context.some_master()], recipes.label_masters, nodes=nodes, run_pods=run_pods, labels=_labels(context, nodes)
    )


def mark_workers(context: Context) -> None:
    """The label without which haplane never deletes a Node."""
    nodes = context.plan.hosts(Kind.MARK_WORKERS)
    context.deploy([context.some_master()], recipes.label_made, nodes=nodes, labels=_labels(context, nodes))


def _labels(context: Context, nodes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {name: labels for name, labels in node_labels(context.inventory).items() if name in nodes}


MARK_MASTERS = Phase("Label and taint masters", (Kind.MARK,), mark_masters)
MARK_WORKERS = Phase("Label workers", (Kind.MARK_WORKERS,), mark_workers)
