"""Node objects of hosts that are gone, or were reinstalled."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.deploys.recipes import delete_node
from haplane.desired.hosts import cluster_wants
from haplane.domain.plan import Kind
from haplane.domain.steps.membership import delete_node_steps
from haplane.observation.observe import observe


def delete_nodes(context: Context) -> None:
    """Their pods are gone with their hosts, so they are deleted as well and not waited for.

    Looked at again first: one whose host has come back since the plan was made stays.
    """
    observe(context)
    wants = cluster_wants(context.inventory, context.manifest, context.request.user_files)
    due = {step.host for step in delete_node_steps(wants, context.observation)}
    for name in context.plan.hosts(Kind.DELETE_NODE):
        if name not in due:
            context.progress(name, "its Node is not deleted: a majority of the masters no longer reports it as gone")
            continue
        context.deploy([context.some_master()], delete_node, node=name)
