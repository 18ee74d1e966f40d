"""The request: what the user asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.desired.snapshots import S3Files
from haplane.desired.user_files import UserFiles
from haplane.domain.timetable import Took
from haplane.errors import HaplaneError
from haplane.recovery.request import RestoreRequest
from haplane.snapshots.packaging import AgentArchive


@dataclass(frozen=True)
class NodeRequest:
    """Of the verbs that take nodes out of service.

    ``force``: go on though pods or data are lost, or pods are not to be evicted. ``keep_pods``: reboot without a
    drain. ``reboots``: the hosts do, once they are drained; ``leaves``: they leave the cluster then.
    ``drain_seconds`` is how long the pods of one node have to be gone.
    """

    force: bool = False
    keep_pods: bool = False
    reboots: bool = False
    leaves: bool = False
    drain_seconds: float = 300


@dataclass(frozen=True)
class Upgrade:
    """Where an upgrade ends: the version and the bundle of its last hop.

    ``hops`` are the versions to go through, none where no way leads there; of ``missing`` among them there is no
    bundle, ``manifests`` are those of the others, in their order. ``built`` are bundles that may be on the way: hosts
    are asked for their files too. With ``without_snapshot`` no snapshot has to be there first. ``took``: how long
    steps took in earlier upgrades.
    """

    version: str
    manifest: Manifest
    bundle: Path
    hops: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    built: tuple[Manifest, ...] = ()
    without_snapshot: bool = False
    took: Took = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What the user asked for, with the files that it needs.

    ``manifest`` is that of the bundle in the directory ``bundle``, None for verbs that only look. ``repaired`` is the
    host whose etcd data may be discarded if it is damaged; with ``renew`` every certificate is due. ``named`` are the
    hosts that were named on the command line; none means all of them. ``upgrade``: during one, the rest of the
    request is for its next hop. ``without``: hosts that are treated as if they could not be reached, whatever they
    report.
    """

    inventory: Inventory
    manifest: Manifest | None = None
    bundle: Path = Path()
    agent: AgentArchive | None = None
    s3_files: S3Files = S3Files()
    user_files: UserFiles = UserFiles()
    dry_run: bool = False
    repaired: str | None = None
    renew: bool = False
    named: tuple[str, ...] = ()
    restore: RestoreRequest = RestoreRequest()
    node: NodeRequest = NodeRequest()
    upgrade: Upgrade | None = None
    without: tuple[str, ...] = ()

    @property
    def required_manifest(self) -> Manifest:
        """The bundle's. Raises HaplaneError for a verb that only looks."""
        if self.manifest is None:
            raise HaplaneError("internal error: this verb has no bundle", next_step="please report it")
        return self.manifest
