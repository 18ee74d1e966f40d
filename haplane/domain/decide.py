"""From what is wanted and what was observed to the whole plan. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.membership import Change
from haplane.domain.observed import Observation
from haplane.domain.plan import ClusterWants, Kind, Plan, Step, Wants
from haplane.domain.steps.cluster import cluster_steps, role_steps
from haplane.domain.steps.etcd import etcd_steps
from haplane.domain.steps.etcd_space import space_steps
from haplane.domain.steps.host import host_steps
from haplane.domain.steps.leaders import leader_steps
from haplane.domain.steps.membership import decommission_steps, delete_node_steps, member_steps, without_node
from haplane.domain.steps.nodes import node_steps, tidy_staged_steps, tidy_steps
from haplane.domain.steps.pod_network import pod_network_steps

STARTS_CONTROLLERS = (Kind.INITIALISE, Kind.RECOVER, Kind.CONTROL_PLANE)


def decide(
    cluster: ClusterWants,
    wants: Mapping[str, Wants],
    observation: Observation,
    changes: Sequence[Change] = (),
    offsets: Mapping[str, float] | None = None,
) -> Plan:
    """Everything that has to be done on the hosts that answered.

    ``changes`` are those of etcd's membership; ``offsets`` by how many seconds hosts' clocks are ahead.
    """
    reports = observation.reports
    steps: list[Step] = []
    for name, wanted in wants.items():
        if name in reports:
            steps += host_steps(name, wanted, reports[name])
    changing = {change.name for change in changes}
    steps += [step for step in etcd_steps(cluster, wants, reports) if step.host not in changing]
    steps += space_steps(cluster.etcd, reports)
    kubernetes = observation.kubernetes()
    deleted = delete_node_steps(cluster, observation)
    steps += [*member_steps(changes), *deleted, *decommission_steps(cluster, reports, kubernetes, changes)]
    once = cluster_steps(cluster, reports, kubernetes, {step.host for step in deleted})
    joined = {node.name for node in kubernetes.nodes} if kubernetes else set()
    deregistered = without_node(cluster, reports)
    steps += node_steps(cluster, wants, reports, with_node=joined, without_node=deregistered)
    steps += pod_network_steps(cluster, reports, kubernetes, deregistered)
    steps += role_steps(cluster, reports, [step.host for step in steps if step.kind in STARTS_CONTROLLERS])
    busy = {step.host for step in steps if step.kind in STARTS_CONTROLLERS}
    steps += leader_steps(cluster.masters, observation, offsets or {}, busy)
    if kubernetes is not None or any(step.kind is Kind.CLUSTER for step in once):
        steps += tidy_steps(cluster, reports)
    steps += tidy_staged_steps(reports, [step for step in steps if step.kind is Kind.BUNDLE])
    return Plan(tuple(steps + once))
