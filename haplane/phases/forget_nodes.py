"""Node objects of machines that are no longer those nodes."""

from __future__ import annotations

from haplane.deploys.recipes import forget_node
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def forget_nodes(run: Run) -> None:
    """Their pods are gone with their machines, so they are deleted as well and not waited for."""
    for name in run.plan.hosts(Kind.FORGET):
        deploy([run.some_master()], forget_node, run.progress, node=name)


FORGET_NODES = Phase("Delete Node objects of machines that are gone", (Kind.FORGET,), forget_nodes)
