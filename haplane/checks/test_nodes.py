"""Nodes: there, ready, at the inventory's address, and with the inventory's taints."""

from __future__ import annotations

from haplane.checks.fleet import Fleet, Machine
from haplane.checks.survey import Node
from haplane.config.model import Inventory

CONTROL_PLANE_TAINT = ("node-role.kubernetes.io/control-plane", "NoSchedule")


def node_of(machine: Machine, fleet: Fleet) -> Node:
    """Its Node object; the check fails without one."""
    nodes = {node.metadata.name: node for node in fleet.nodes()}
    assert nodes, "no API server tells the nodes"
    assert machine.name in nodes, "the cluster has no node of that name"
    return nodes[machine.name]


def test_ready(node: Machine, fleet: Fleet) -> None:
    """Ready."""
    assert node_of(node, fleet).ready, "it is not"


def test_address(node: Machine, fleet: Fleet) -> None:
    """Known by the inventory's address."""
    addresses = node_of(node, fleet).internal_addresses
    assert addresses == (str(node.host.address),), f"it is known by {', '.join(addresses) or 'none'}"


def test_taints(node: Machine, fleet: Fleet, inventory: Inventory) -> None:
    """Taints are as the inventory says."""
    taints = {(taint.key, taint.effect) for taint in node_of(node, fleet).spec.taints}
    wanted = "master" in node.roles and not inventory.cluster.masters_run_pods
    assert (CONTROL_PLANE_TAINT in taints) == wanted, "the control-plane taint is " + (
        "missing" if wanted else "there"
    )
