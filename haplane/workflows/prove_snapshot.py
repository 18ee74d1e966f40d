"""``haplane snapshot verify --deep``: a stored snapshot served by a throw-away API server of this machine.

It changes nothing anywhere, so it needs no lock and suits a nightly timer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.errors import BadInput
from haplane.phases.stored_snapshots import open_stored, shelf_of
from haplane.snapshots.manifest import Manifest
from haplane.sources.image import extract_program
from haplane.sources.sandbox import Proof, prove
from haplane.sources.tools import etcd_tools

APISERVER = "kube-apiserver"


@dataclass(frozen=True)
class Proven:
    """Which snapshot, and what was read of it."""

    manifest: Manifest
    proof: Proof

    def document(self) -> dict[str, object]:
        """For --json."""
        return {"id": self.manifest.id, "uid": self.proof.uid, "objects": self.proof.objects, "keys": self.proof.keys}


def prove_snapshot(inventory: Inventory, wanted: str, identity: Path | None, progress: Progress) -> Proven:
    """``wanted`` is an id or ``latest``. Raises Refused with the first thing that is not as it should be."""
    cluster = inventory.cluster
    bundle = Path(cluster.bundle).expanduser() if cluster.bundle else default_directory(cluster.kubernetes_version)
    manifest = load_manifest(bundle)
    image = next((one.file for one in manifest.images if f"/{APISERVER}:" in one.reference), None)
    if image is None:
        raise BadInput(f"the bundle has no {APISERVER}", where=str(bundle), next_step=manifest.build_command(bundle))
    stored = shelf_of(inventory, progress).choose(wanted)
    with etcd_tools(bundle, manifest) as tools:
        opened = open_stored(stored, identity, tools, manifest.etcd_version, progress)
        program = tools.directory / APISERVER
        extract_program(bundle / image.stored, APISERVER, program)
        progress(stored.manifest.id, "serving it on a throw-away etcd and API server, and reading every object")
        return Proven(stored.manifest, prove(opened.database, opened.identity, tools, program))
