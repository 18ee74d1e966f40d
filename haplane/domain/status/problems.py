"""Everything that keeps a cluster from being healthy, subject by subject. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from haplane.domain.problem import Problem, in_code, named
from haplane.domain.snapshot_status import snapshot_problems
from haplane.domain.status.api_path import api_path_problems
from haplane.domain.status.balancers import balancer_problems, unreached_members, unserved_masters
from haplane.domain.status.certificates import expired_certificates, expiring_certificates
from haplane.domain.status.clocks import clock_problems
from haplane.domain.status.condition import condition_problems
from haplane.domain.status.control_plane import control_plane_problems
from haplane.domain.status.cordons import cordon_problems
from haplane.domain.status.dns import dns_path_problems
from haplane.domain.status.endpoint import address_holders, endpoint_problems, unreached_endpoint
from haplane.domain.status.etcd_failures import failed_members
from haplane.domain.status.findings import agreed_findings, finding_problems
from haplane.domain.status.hosts import (
    address_problems,
    failed_probes,
    identity_problems,
    replaced_cas,
    runtime_problems,
    server_problems,
    swap_problems,
    unit_problems,
    unreachable_hosts,
    unusable_certificates,
)
from haplane.domain.status.known import Known
from haplane.domain.status.kubelets import closed_ports, refused_kubelets, refusing_kubelets, serving_problems
from haplane.domain.status.members import (
    damaged_members,
    etcd_problems,
    lagging_members,
    members_of_other_clusters,
    misaddressed_members,
    separate_members,
)
from haplane.domain.status.nodes import dns_problems, node_problems, pressure_problems
from haplane.domain.status.pod_network import pod_network_problems, taken_networks
from haplane.domain.status.precedence import precedence_problems
from haplane.domain.status.registration import registration_problems
from haplane.domain.status.rotation import rotation_problems
from haplane.domain.status.space import space_problems
from haplane.domain.status.tokens import token_problems
from haplane.domain.status.workloads import conversion_problems, workload_problems


def problems_of(known: Known) -> tuple[Problem, ...]:
    """In the order of SUBJECTS, with commands that work now, and the inventory's path in them."""
    found = (replace(one, fix=known.fitted(one.fix)) for subject in SUBJECTS for one in subject(known))
    return tuple(named(one, known.roster.inventory) for one in found)


def _hosts(known: Known) -> Iterable[Problem]:
    roster, observation = known.roster, known.observation
    return (
        *unreachable_hosts(roster, observation),
        *failed_probes(observation),
        *clock_problems(known.offsets),
        *expired_certificates(known.certificates),
        *unit_problems(roster, observation),
        *runtime_problems(roster, observation),
        *condition_problems(roster, observation),
        *server_problems(roster, observation),
        *identity_problems(roster, observation),
        *replaced_cas(roster, observation),
        *swap_problems(roster, observation),
        *address_problems(roster, observation),
    )


def _nodes(known: Known) -> Iterable[Problem]:
    roster, observation, kubernetes = known.roster, known.observation, known.kubernetes
    return (
        *node_problems(roster, observation, kubernetes, known.masters, known.workers),
        *registration_problems(roster, observation, kubernetes),
        *pressure_problems(kubernetes),
        *cordon_problems(roster, kubernetes),
        *serving_problems(roster, observation, kubernetes),
        *closed_ports(kubernetes),
        *refusing_kubelets(kubernetes),
        *refused_kubelets(observation, kubernetes),
    )


def _etcd(known: Known) -> Iterable[Problem]:
    roster, observation = known.roster, known.observation
    return (
        *members_of_other_clusters(roster, observation),
        *damaged_members(roster, observation),
        *failed_members(roster, observation),
        *space_problems(roster, observation),
        *lagging_members(roster, observation),
        *misaddressed_members(roster, observation),
        *separate_members(roster, observation),
        *etcd_problems(roster, observation, known.etcd, in_code(known.recovery.command)),
    )


def _load_balancers(known: Known) -> Iterable[Problem]:
    """And the ways through them: to API servers, to members, by the endpoint."""
    roster, observation = known.roster, known.observation
    endpoint = unreached_endpoint if known.endpoint_ready else endpoint_problems
    return (
        *balancer_problems(roster, observation, known.balancers),
        *address_holders(roster, observation),
        *unserved_masters(roster, observation),
        *unreached_members(roster, observation),
        *endpoint(roster, observation),
    )


def _workloads(known: Known) -> Iterable[Problem]:
    """The control plane's own among them, and what pods rely on."""
    roster, observation, kubernetes = known.roster, known.observation, known.kubernetes
    findings = agreed_findings(roster, observation)
    displaced = findings is not None and findings.dns_is_displaced
    return (
        *control_plane_problems(roster, observation, known.offsets),
        *workload_problems(roster, observation, kubernetes, ("/services/kube-dns",) if displaced else ()),
        *conversion_problems(roster, observation),
        *dns_problems(roster, kubernetes, findings.corefile if findings else "", observation.reports),
        *dns_path_problems(roster, observation, kubernetes, findings),
        *api_path_problems(roster, observation, kubernetes),
        *finding_problems(roster, observation, kubernetes, known.offsets),
        *token_problems(roster, observation),
        *precedence_problems(roster, observation),
        *pod_network_problems(roster, observation, kubernetes),
        *taken_networks(roster, observation),
    )


def _keys(known: Known) -> Iterable[Problem]:
    """And certificates that still serve: expired ones are with the hosts."""
    return (
        *expiring_certificates(known.certificates),
        *unusable_certificates(known.roster, known.observation),
        *rotation_problems(known.roster, known.observation),
    )


def _snapshots(known: Known) -> Iterable[Problem]:
    return (
        *snapshot_problems(known.snapshots, known.roster.etcd, known.observation, known.now),
        *known.recovery.problems,
    )


SUBJECTS: tuple[Callable[[Known], Iterable[Problem]], ...] = (
    _hosts,
    _nodes,
    _etcd,
    _load_balancers,
    _workloads,
    _keys,
    _snapshots,
)
"""Hosts first, and what keeps much else from working."""
