"""What a phase is, and what a run carries from one to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from haplane.bundle.manifest import Manifest
from haplane.config.model import Host, Inventory
from haplane.desired.snapshots import S3Files
from haplane.domain.files import Part
from haplane.domain.observed import HostReport, Observation
from haplane.domain.plan import Kind, Plan, Wants
from haplane.domain.preflight import Window
from haplane.domain.progress import Progress
from haplane.domain.restoration import Journal
from haplane.errors import HaplaneError
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.encryption import EncryptionKey
from haplane.remote.push import Push
from haplane.snapshots.packaging import AgentArchive
from haplane.sources.database import Database


@dataclass(frozen=True)
class Restoration:
    """What ``haplane restore`` is about to do, or to complete.

    ``database`` is None where every member has its data already; ``encryption_keys`` are those sealed with it;
    ``without`` are hosts that are left out on an explicit word.
    """

    journal: Journal
    database: Database | None
    encryption_keys: tuple[EncryptionKey, ...] = ()
    without: tuple[str, ...] = ()


@dataclass
class Run:
    """One run of a verb: what it was given, then what its phases found out.

    ``repaired`` is the host whose etcd data may be given up if they have to be, ``condemned`` whose are.
    """

    inventory: Inventory
    manifest: Manifest
    bundle: Path
    progress: Progress
    observation: Observation = field(default_factory=lambda: Observation(reports={}))
    window: Window = field(default_factory=lambda: Window(0, 0))
    identity: ClusterIdentity | None = None
    etcd_authority: bytes = b""
    wants: dict[str, Wants] = field(default_factory=dict)
    plan: Plan = field(default_factory=Plan)
    restoration: Restoration | None = None
    repaired: str | None = None
    condemned: frozenset[str] = frozenset()
    binary_pushes: list[Push] = field(default_factory=list)
    image_pushes: list[Push] = field(default_factory=list)
    join_command: str | None = None
    s3_files: S3Files = S3Files()
    agent: AgentArchive | None = None
    complaints: list[str] = field(default_factory=list)
    """What was tried and does not work, though everything else was done."""

    def hosts(self, *kinds: Kind) -> list[Host]:
        """The hosts that have a step of these kinds, in the inventory's order."""
        named = self.plan.hosts(*kinds)
        return [host for host in self.inventory.everyone if host.name in named]

    def report(self, host: Host) -> HostReport:
        """What the host last said. Raises KeyError when it did not answer."""
        return self.observation.reports[host.name]

    def reachable(self, hosts: Sequence[Host]) -> list[Host]:
        """Those that answered."""
        return [host for host in hosts if host.name in self.observation.reports]

    def paths(self, hosts: Sequence[Host], part: Part) -> dict[str, tuple[str, ...]]:
        """By host, the files of that part which it should have."""
        return {
            host.name: tuple(file.path for file in self.wants[host.name].files if file.part is part) for host in hosts
        }

    def some_master(self) -> Host:
        """Any master that answered, rather one whose API server was ready: none of them is special."""
        found = self.reachable(self.inventory.masters)
        if not found:
            raise HaplaneError("no master answers", next_step="switch one on and run again")
        return next((host for host in found if self.report(host).apiserver.ready), found[0])

    @staticmethod
    def now() -> datetime:
        """The moment, by the clock of this machine."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class Phase:
    """A title, the kinds of steps it carries out, and how. Without such steps in the plan it does not run.

    ``also_after`` are kinds that other phases carry out and that leave it something to do. What is ``breakable``
    takes nothing out of service and waits for hosts: it is broken off when one of them is lost, because it has to be
    done again anyway.
    """

    title: str
    kinds: tuple[Kind, ...]
    carry_out: Callable[[Run], None]
    also_after: tuple[Kind, ...] = ()
    breakable: bool = False

    def describe(self, run: Run) -> list[str]:
        """What it will do, in the words of the plan it will run from."""
        return run.plan.describe(*self.kinds)

    def should_run(self, run: Run) -> bool:
        """Whether the plan has a step for it."""
        return bool(run.plan.of(*self.kinds, *self.also_after))


def pause(run: Run, subject: str, message: str) -> None:
    """Say what is waited for, and let a second pass before the next look."""
    run.progress(subject, message)
    time.sleep(1)
