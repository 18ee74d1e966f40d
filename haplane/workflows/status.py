"""``haplane status``: observe and say. It changes nothing and needs no lock."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.errors import HaplaneError, Unreachable
from haplane.phases.confirm_health import judge
from haplane.phases.observe import observe
from haplane.phases.phase import Run
from haplane.phases.snapshot_places import bucket_of
from haplane.snapshots.places import Bucket

BUCKET_SECONDS = 3.0
"""Who asks how the cluster is does not wait longer for a bucket that does not answer."""


def status(inventory: Inventory, progress: Progress) -> Status:
    """What is known now. With every host down it still says which ones, and that the endpoint is silent."""
    run = looking_run(inventory, progress)
    counted: list[int] = []
    counting = threading.Thread(target=count_stored, args=(inventory, counted), daemon=True)
    counting.start()
    try:
        observe(run)
    except Unreachable:
        progress("status", "no host can be reached")
    found = judge(run)
    counting.join(BUCKET_SECONDS)
    return replace(found, snapshots=replace(found.snapshots, remote=counted[0] if counted else None))


def count_stored(inventory: Inventory, counted: list[int]) -> None:
    """Put the number of whole snapshots in the bucket into ``counted``, if there is one and it answers."""
    snapshots = inventory.cluster.snapshots
    if snapshots is None or snapshots.s3 is None:
        return
    with contextlib.suppress(HaplaneError):
        counted.append(sum(Bucket(bucket_of(inventory)).ids().values()))


def looking_run(inventory: Inventory, progress: Progress) -> Run:
    """A run that only looks."""
    return Run(inventory=inventory, manifest=_no_bundle(inventory), bundle=Path(), progress=progress)


def _no_bundle(inventory: Inventory) -> Manifest:
    """Looking needs no binaries, so any workstation can."""
    return Manifest(
        kubernetes_version=inventory.cluster.kubernetes_version,
        etcd_version="",
        architecture="",
        source="official",
        versions={},
        checksums={},
        files=(),
        images=(),
    )
