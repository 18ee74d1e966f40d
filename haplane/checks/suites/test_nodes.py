"""Nodes: there, ready, at the inventory's address, and with the inventory's taints."""

from __future__ import annotations

from haplane.checks.expectations import CONTROL_PLANE_TAINT
from haplane.checks.fleet import Fleet, Machine
from haplane.config.model import Inventory
from haplane.domain.observed import Node


def node_of(machine: Machine, fleet: Fleet) -> Node:
    """Its Node object; the check fails without one."""
    nodes = {node.name: node for node in fleet.nodes()}
    assert nodes, "no API server lists the nodes"
    assert machine.name in nodes, "the cluster has no Node object of that name"
    return nodes[machine.name]


def test_ready(node: Machine, fleet: Fleet) -> None:
    """Ready."""
    found = node_of(node, fleet)
    assert found.ready, f"NotReady: {found.why or 'the kubelet does not report why'}"


def test_address(node: Machine, fleet: Fleet) -> None:
    """InternalIP is the inventory's address."""
    found = node_of(node, fleet).address
    assert found == str(node.host.address), f"its InternalIP is {found or 'not set'}, not {node.host.address}"


def test_taints(node: Machine, fleet: Fleet, inventory: Inventory) -> None:
    """Taints are the inventory's."""
    taints = node_of(node, fleet).taints
    wanted = "master" in node.roles and not inventory.cluster.masters_run_pods
    assert (CONTROL_PLANE_TAINT in taints) == wanted, f"the taint {CONTROL_PLANE_TAINT} is " + (
        "missing" if wanted else 'set, although cluster["masters_run_pods"] is True'
    )
