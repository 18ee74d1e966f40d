"""Pods of kube-proxy and flannel that make a node's part of the network anew when they start."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import replace_pods as recipe
from haplane.domain.plan import Kind


def replace_pods(context: Context) -> None:
    """One node at a time: connections through its services are made anew."""
    for name in context.plan.hosts(Kind.REPLACE_PODS):
        for pods in context.plan.items(name, Kind.REPLACE_PODS):
            namespace, daemonset, selector = pods.split("/", 2)
            found = {"namespace": namespace, "daemonset": daemonset, "selector": selector}
            context.deploy([context.some_master()], recipe, node=name, **found)


REPLACE_PODS = Phase("Replace pods whose part of a node's network is gone", (Kind.REPLACE_PODS,), replace_pods)
