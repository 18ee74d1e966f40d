"""Puts ``haplane status`` together from one observation. Pure.

It holds with hosts down, without quorum, and before ``up``: what nobody could tell is said to be unknown, never fine.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from haplane.domain import host_paths
from haplane.domain.assessment import Recovery, keys_are_lost, summarise_recovery
from haplane.domain.clocks import Window, clock_offsets
from haplane.domain.observed import Kubernetes, Observation
from haplane.domain.problem import UP, Problem, in_code, named
from haplane.domain.snapshot_status import snapshot_problems, summarise_snapshots
from haplane.domain.status.balancers import (
    balancer_problems,
    balancer_status,
    endpoint_problem,
    unreached_endpoint,
    unreached_members,
    unserved_masters,
)
from haplane.domain.status.certificates import Certificates, expired_certificates, expiring_certificates
from haplane.domain.status.clocks import clock_problems
from haplane.domain.status.condition import LASTING, clock_notes, condition_problems
from haplane.domain.status.control_plane import control_plane_problems
from haplane.domain.status.cordons import BY_HAPLANE, cordon_notes, cordon_problems
from haplane.domain.status.etcd_failures import failed_members
from haplane.domain.status.findings import agreed_findings, finding_problems
from haplane.domain.status.hosts import (
    address_problems,
    failed_probes,
    identity_problems,
    runtime_problems,
    server_problems,
    swap_problems,
    unit_problems,
    unreachable_hosts,
    unusable_certificates,
)
from haplane.domain.status.members import (
    damaged_members,
    etcd_cluster,
    etcd_problems,
    lagging_members,
    members_of_other_clusters,
)
from haplane.domain.status.model import ClusterStatus, Roster, Status
from haplane.domain.status.nodes import (
    closed_ports,
    dns_problems,
    master_status,
    node_problems,
    pressure_problems,
    serving_problems,
    worker_status,
)
from haplane.domain.status.pod_network import pod_network_problems
from haplane.domain.status.precedence import precedence_problems
from haplane.domain.status.rotation import UNFINISHED, rotation_problems
from haplane.domain.status.space import drop_in_notes, space_problems
from haplane.domain.status.workloads import workload_problems
from haplane.errors import INVENTORY


def summarise(
    roster: Roster,
    observation: Observation,
    *,
    endpoint_answers: bool,
    certificates: Certificates,
    now: datetime,
    window: Window | None = None,
) -> Status:
    """``endpoint_answers``: /readyz through the endpoint, asked from the controller.

    That one may be outside the endpoint's network: otherwise it takes a majority of the masters that answer.
    ``window``: when the hosts were asked, None where their clocks are not compared with it.
    """
    kubernetes = observation.kubernetes()
    nodes = {node.name: node for node in kubernetes.nodes} if kubernetes else {}
    others = sorted({*roster.workers, *nodes} - {*roster.masters})
    asked = [report.balancer.endpoint_ready for report in observation.of(roster.masters)]
    status = Status(
        cluster=ClusterStatus(
            name=roster.cluster,
            endpoint=roster.endpoint,
            kubernetes_version=roster.kubernetes_version,
            uid=kubernetes.uid if kubernetes else None,
        ),
        healthy=False,
        problems=(),
        masters=tuple(master_status(name, roster, observation, nodes) for name in roster.masters),
        workers=tuple(worker_status(name, roster, nodes.get(name)) for name in others),
        etcd=etcd_cluster(roster, observation),
        load_balancers=tuple(balancer_status(name, observation) for name in roster.balancers),
        snapshots=summarise_snapshots(roster.snapshot_interval, roster.etcd, observation, now),
        recovery=_recovery(roster, observation, certificates),
        certificates=certificates,
        notes=_notes(roster, observation, kubernetes),
    )
    endpoint_ready = endpoint_answers or 2 * sum(asked) > len(asked)
    problems = _problems(
        roster, observation, kubernetes, status, endpoint_ready=endpoint_ready, now=now, window=window
    )
    return replace(status, healthy=not problems, problems=problems)


def _notes(roster: Roster, observation: Observation, kubernetes: Kubernetes | None) -> tuple[str, ...]:
    found = (*drop_in_notes(roster, observation), *cordon_notes(roster, kubernetes), *clock_notes(observation))
    return tuple(one.replace(INVENTORY, roster.inventory) for one in found)


def _recovery(roster: Roster, observation: Observation, certificates: Certificates) -> Recovery:
    return summarise_recovery(
        roster.etcd,
        observation.reports,
        inventory=roster.inventory,
        leaving=roster.leaving,
        others=roster.masters,
        keys_lost=keys_are_lost(roster.masters, observation.reports, roster.identity),
        expired=certificates.hosts_expired(f"{host_paths.ETCD_PKI}/"),
    )


def _problems(
    roster: Roster,
    observation: Observation,
    kubernetes: Kubernetes | None,
    status: Status,
    *,
    endpoint_ready: bool,
    now: datetime,
    window: Window | None,
) -> tuple[Problem, ...]:
    """Everything that keeps the cluster from being healthy: hosts first, and what keeps much else from working."""
    findings = agreed_findings(roster, observation)
    found = (
        *unreachable_hosts(observation),
        *failed_probes(observation),
        *clock_problems(observation, window),
        *expired_certificates(status.certificates),
        *unit_problems(roster, observation),
        *runtime_problems(roster, observation),
        *condition_problems(roster, observation),
        *server_problems(roster, observation),
        *identity_problems(roster, observation),
        *swap_problems(roster, observation),
        *address_problems(roster, observation),
        *node_problems(roster, observation, kubernetes, status.masters, status.workers),
        *pressure_problems(kubernetes),
        *cordon_problems(roster, kubernetes),
        *serving_problems(roster, observation, kubernetes),
        *closed_ports(kubernetes),
        *members_of_other_clusters(roster, observation),
        *damaged_members(roster, observation),
        *failed_members(roster, observation),
        *space_problems(roster, observation),
        *lagging_members(roster, observation),
        *etcd_problems(observation, status.etcd, in_code(status.recovery.command) if status.recovery else UP),
        *balancer_problems(roster, observation, status.load_balancers),
        *unserved_masters(roster, observation),
        *unreached_members(roster, observation),
        *(unreached_endpoint(roster, observation) if endpoint_ready else [endpoint_problem(roster, observation)]),
        *control_plane_problems(roster, observation, clock_offsets(observation, window)),
        *workload_problems(roster, observation, kubernetes),
        *dns_problems(kubernetes, findings.corefile if findings else ""),
        *finding_problems(roster, observation, kubernetes, clock_offsets(observation, window)),
        *precedence_problems(roster, observation),
        *pod_network_problems(roster, observation, kubernetes),
        *expiring_certificates(status.certificates),
        *unusable_certificates(observation),
        *rotation_problems(roster, observation),
        *snapshot_problems(status.snapshots, roster.etcd, observation, now),
        *(status.recovery.problems if status.recovery else ()),
    )
    return tuple(named(one, roster.inventory) for one in found)


def passing_problems(status: Status, unreachable: Collection[str]) -> tuple[Problem, ...]:
    """Those that waiting may end: not an unreachable host, what it lacks, a cordon, or an old certificate."""
    lasting = [f"{kind}{name}:" for name in unreachable for kind in ("", "etcd member ", "worker ")]
    if unreachable:
        lasting.append("only 1 CoreDNS pod")  # the other one may have been there
    old = [f"{one.file} " for one in (*status.certificates.expired, *status.certificates.expiring)]
    prefixes = (*lasting, *old, UNFINISHED, *(f"the CA {one.file}" for one in status.certificates.authorities))
    anywhere = (" expired on ", BY_HAPLANE, *LASTING)
    return tuple(
        problem
        for problem in status.problems
        if not problem.startswith(prefixes) and not any(words in problem for words in anywhere)
    )
