"""What pods lack of a node's network, though the node and they are Ready."""

from __future__ import annotations

from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.problem import UP, Problem, problem
from haplane.domain.status.model import Roster
from haplane.domain.steps.pod_network import FLANNEL, KUBE_PROXY, lost_on, ready_nodes

LACKS = {
    KUBE_PROXY: "its pods reach no service",
    FLANNEL: "its pods do not reach what is on other nodes or outside of the cluster, or do not start",
}


def pod_network_problems(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> list[Problem]:
    """By node."""
    reports = observation.reports
    return [
        problem(f"{name}: {LACKS[table]}", why=why, fix=UP)
        for name in ready_nodes((*roster.masters, *roster.workers), reports, kubernetes)
        for table, why in lost_on(name, roster.tables, reports, kubernetes, tunnel=roster.pod_tunnel).items()
    ]
