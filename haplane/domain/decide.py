"""From what is wanted and what was observed to the whole plan. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.comings import forget_steps, leave_steps, member_steps
from haplane.domain.membership import Change
from haplane.domain.nodes import node_steps, tidy_steps
from haplane.domain.observed import Observation
from haplane.domain.plan import ClusterWants, Kind, Plan, Step, Wants, cluster_steps, etcd_steps, host_steps


def decide(
    cluster: ClusterWants, wants: Mapping[str, Wants], observation: Observation, changes: Sequence[Change] = ()
) -> Plan:
    """Everything that has to be done on the hosts that answered. ``changes`` are those of etcd's membership."""
    reports = observation.reports
    steps: list[Step] = []
    for name, wanted in wants.items():
        if name in reports:
            steps += host_steps(name, wanted, reports[name])
    changing = {change.name for change in changes}
    steps += [step for step in etcd_steps(cluster, wants, reports) if step.host not in changing]
    kubernetes = observation.kubernetes()
    forgotten = forget_steps(cluster, reports, kubernetes)
    steps += [*member_steps(changes), *forgotten, *leave_steps(cluster, reports, kubernetes, changes)]
    once = cluster_steps(cluster, reports, kubernetes, {step.host for step in forgotten})
    steps += node_steps(cluster, wants, reports)
    if kubernetes is not None or any(step.kind is Kind.CLUSTER for step in once):
        steps += tidy_steps(cluster, reports)
    return Plan(tuple(steps + once))
