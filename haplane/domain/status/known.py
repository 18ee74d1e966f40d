"""What ``status`` judges: one observation, and what follows from it, each worked out once. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from haplane.domain import host_paths
from haplane.domain.assessment import Recovery, RecoveryAction, keys_are_lost, summarise_recovery
from haplane.domain.clocks import Window, clock_offsets
from haplane.domain.observed import Kubernetes, Node, Observation
from haplane.domain.problem import in_code
from haplane.domain.snapshot_status import Snapshots, summarise_snapshots
from haplane.domain.status.balancers import balancer_status
from haplane.domain.status.certificates import Certificates
from haplane.domain.status.members import etcd_cluster
from haplane.domain.status.model import BalancerStatus, EtcdCluster, MasterStatus, NodeStatus, Roster
from haplane.domain.status.nodes import master_status, worker_status
from haplane.domain.upgrade_advice import OtherVersion, other_version
from haplane.domain.upgrade_interrupted import staged_on_most
from haplane.domain.versions import running_versions


@dataclass(frozen=True)
class Known:
    """``endpoint_answers``: /readyz through the endpoint, asked from the controller.

    ``window``: when the hosts were asked, None where their clocks are not compared with the controller's.
    """

    roster: Roster
    observation: Observation
    certificates: Certificates
    endpoint_answers: bool
    now: datetime
    window: Window | None

    @cached_property
    def kubernetes(self) -> Kubernetes | None:
        """None while no API server answers."""
        return self.observation.kubernetes()

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """By name."""
        return {node.name: node for node in self.kubernetes.nodes} if self.kubernetes else {}

    @cached_property
    def masters(self) -> tuple[MasterStatus, ...]:
        """In the inventory's order."""
        return tuple(master_status(name, self.roster, self.observation, self.nodes) for name in self.roster.masters)

    @cached_property
    def workers(self) -> tuple[NodeStatus, ...]:
        """The inventory's, and all nodes that are none of its masters, by name."""
        names = sorted({*self.roster.workers, *self.nodes} - {*self.roster.masters})
        return tuple(worker_status(name, self.roster, self.nodes.get(name)) for name in names)

    @cached_property
    def etcd(self) -> EtcdCluster:
        """All members, and the arithmetic."""
        return etcd_cluster(self.roster, self.observation)

    @cached_property
    def balancers(self) -> tuple[BalancerStatus, ...]:
        """In the inventory's order."""
        return tuple(balancer_status(name, self.observation) for name in self.roster.balancers)

    @cached_property
    def endpoint_ready(self) -> bool:
        """The controller may be outside the endpoint's network: a majority of the masters that answer will do."""
        asked = [report.balancer.endpoint_ready for report in self.observation.of(self.roster.masters)]
        return self.endpoint_answers or 2 * sum(asked) > len(asked)

    @cached_property
    def offsets(self) -> Mapping[str, float]:
        """By how many seconds hosts' clocks are ahead of the controller's."""
        return clock_offsets(self.observation, self.window)

    @cached_property
    def snapshots(self) -> Snapshots:
        """Those of all members."""
        return summarise_snapshots(self.roster.snapshot_interval, self.roster.etcd, self.observation, self.now)

    @cached_property
    def other_version(self) -> OtherVersion | None:
        """What runs, where it is not the inventory's version."""
        roster, reports = self.roster, self.observation.reports
        running = running_versions(roster.masters, reports, self.nodes.values())
        statuses = (reports[name].etcd.status for name in roster.etcd if name in reports)
        members = [status.version for status in statuses if status is not None]
        staged = staged_on_most(self.observation.of(roster.masters))
        return other_version(running, members, roster.kubernetes_version, staged=staged)

    def fitted(self, text: str) -> str:
        """With commands that work: not `up` where only a restore is left, and all in the versions that run."""
        if self.recovery.action in (RecoveryAction.SURVIVOR, RecoveryAction.REBUILD):
            text = re.sub(r"`haplane up [^`]*`", lambda _: in_code(self.recovery.command), text)
        return self.other_version.fitted(text) if self.other_version else text

    @cached_property
    def recovery(self) -> Recovery:
        """What brings etcd back."""
        roster, reports = self.roster, self.observation.reports
        return summarise_recovery(
            roster.etcd,
            reports,
            inventory=roster.inventory,
            leaving=roster.leaving,
            others=roster.masters,
            keys_lost=keys_are_lost(roster.masters, reports, roster.identity),
            expired=self.certificates.hosts_expired(f"{host_paths.ETCD_PKI}/"),
        )
