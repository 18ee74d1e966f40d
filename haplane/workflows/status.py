"""``haplane status``: observe and say. It changes nothing and needs no lock."""

from __future__ import annotations

from pathlib import Path

from haplane.bundle.manifest import Manifest
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.errors import Unreachable
from haplane.phases.confirm_health import judge
from haplane.phases.observe import observe
from haplane.phases.phase import Run


def status(inventory: Inventory, progress: Progress) -> Status:
    """What is known now. With every host down it still says which ones, and that the endpoint is silent."""
    run = Run(inventory=inventory, manifest=_no_bundle(inventory), bundle=Path(), progress=progress)
    try:
        observe(run)
    except Unreachable:
        progress("status", "no host can be reached")
    return judge(run)


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
