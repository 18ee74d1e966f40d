"""Pods of kube-proxy and flannel that make a node's part of the network anew when they start."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import connect_pods, forget_subnet
from haplane.deploys.recipes import replace_pods as recipe
from haplane.domain.plan import Kind
from haplane.domain.steps.pod_network import FLANNEL, PODS


def replace_pods(context: Context) -> None:
    """One node at a time: connections through its services are made anew.

    Flannel's may have another network than before: pods that the node has are connected to that one.
    """
    for host in context.hosts(Kind.REPLACE_PODS):
        for pods in context.plan.items(host.name, Kind.REPLACE_PODS):
            namespace, daemonset, selector = pods.split("/", 2)
            found = {"namespace": namespace, "daemonset": daemonset, "selector": selector}
            by_flannel = [host] if pods == PODS[FLANNEL] else []
            context.deploy(by_flannel, forget_subnet)
            context.deploy([context.some_master()], recipe, node=host.name, **found)
            context.deploy(by_flannel, connect_pods)


REPLACE_PODS = Phase("Replace pods whose part of a node's network is gone", (Kind.REPLACE_PODS,), replace_pods)
