"""Nodes that take pods again."""

from __future__ import annotations

from dataclasses import replace

from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.domain.plan import Kind, Plan, Step
from haplane.observation.nodes import required_nodes
from haplane.procedures.node_api import uncordon


def decide_uncordon(context: Context) -> None:
    """Those of the named hosts that are cordoned."""
    nodes = required_nodes(context)
    kubernetes = context.observation.kubernetes()
    cordoned = [node.name for node in (kubernetes.nodes if kubernetes else ()) if node.unschedulable]
    steps = [Step(Kind.UNCORDON, name, "it is cordoned") for name in nodes if name in cordoned]
    context.adopt(replace(context.decision, plan=Plan(tuple(steps))))


def uncordon_nodes(context: Context) -> None:
    """Whoever cordoned them."""
    for host in context.hosts(Kind.UNCORDON):
        uncordon(context, host.name)


DECIDE_UNCORDON = Look("Decide which nodes are uncordoned", decide_uncordon)
UNCORDON = Phase("Uncordon nodes", (Kind.UNCORDON,), uncordon_nodes)
