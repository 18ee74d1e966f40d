"""Which members can take a snapshot now."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain.observed import Observation
from haplane.domain.slots import Candidate


def candidates(inventory: Inventory, observation: Observation) -> list[Candidate]:
    """Each member with its health, and whether it is the leader."""
    found = []
    for host in inventory.etcd:
        report = observation.reports.get(host.name)
        healthy = bool(report and report.etcd.reads_through_quorum and report.snapshots and report.snapshots.agent)
        found.append(Candidate(host.name, healthy=healthy, leader=bool(report and report.etcd.leads)))
    return found
