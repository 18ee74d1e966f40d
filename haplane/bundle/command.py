"""The command that makes the bundle of an inventory, as next steps name it."""

from __future__ import annotations

import shlex
from pathlib import Path

from haplane.bundle.lock import Lock, load_lock, read_lock
from haplane.bundle.manifest import Manifest, Source
from haplane.config.model import Inventory
from haplane.errors import BadInput


def build_for(inventory: Inventory) -> str:
    """It advises the source that the lock has."""
    cluster = inventory.cluster
    words = ["haplane", "bundle", "build"]
    try:
        lock = read_lock(Path(cluster.bundle_lock)) if cluster.bundle_lock else load_lock(cluster.kubernetes_version)
    except BadInput:  # which building it explains
        return shlex.join((*words, inventory.path))
    if (source := source_of(lock)) != "official":
        words += ["--source", source]
    return shlex.join((*words, inventory.path))


def refuse_another_bundle(inventory: Inventory, directory: Path, manifest: Manifest) -> None:
    """Raises BadInput for a bundle of another version of Kubernetes than the inventory's."""
    wanted = inventory.cluster.kubernetes_version
    if manifest.kubernetes_version != wanted:
        raise BadInput(
            "the bundle is of another Kubernetes version",
            where=f"{directory}: {manifest.kubernetes_version}, the inventory wants {wanted}",
            next_step=f"`{build_for(inventory)}`",
        )


def source_of(lock: Lock) -> Source:
    """What the projects publish, where the lock has it."""
    return "modules" if lock.official is None else "official"
