"""What a restore is decided from: its request, the observation, and etcd's programs on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from haplane.config.model import Host, Inventory
from haplane.domain.assessment import keys_are_lost
from haplane.domain.observed import HostReport, Observation
from haplane.domain.progress import Progress
from haplane.executor import Executor
from haplane.pki.cluster_identity import IDENTITY_PATHS
from haplane.recovery.request import RestoreRequest
from haplane.recovery.scratch.tools import Tools


@dataclass(frozen=True)
class RestoreContext:
    """The request, what the hosts reported at ``now``, and etcd's programs on this machine."""

    request: RestoreRequest
    inventory: Inventory
    observation: Observation
    now: datetime
    tools: Tools
    executor: Executor

    @property
    def progress(self) -> Progress:
        """Who is told."""
        return self.executor.progress

    @property
    def members(self) -> tuple[Host, ...]:
        """Every host that may hold etcd data of this cluster."""
        return self.inventory.etcd + self.inventory.leaving

    @property
    def keys_lost(self) -> bool:
        """Whether no master that is not left out holds all keys of the cluster."""
        masters = names(self.inventory.masters)
        return keys_are_lost(masters, self.observation.reports, IDENTITY_PATHS, self.request.without)

    def report(self, host: Host) -> HostReport:
        """Raises KeyError for an unreachable host."""
        return self.observation.reports[host.name]

    def reachable(self, hosts: Sequence[Host]) -> list[Host]:
        """Those of the hosts that reported."""
        return [host for host in hosts if host.name in self.observation.reports]


def names(hosts: Sequence[Host]) -> list[str]:
    """Their names, in the same order."""
    return [host.name for host in hosts]
