"""What the operator names for a restore or a verification, checked before any host is contacted."""

from __future__ import annotations

from pathlib import Path

from haplane.agent.manifest import is_snapshot_id
from haplane.config.model import Inventory
from haplane.errors import INVENTORY, BadInput
from haplane.recovery.request import RestoreRequest
from haplane.snapshots.catalog import LATEST
from haplane.snapshots.identities import read_identities


def refuse_wrong_request(inventory: Inventory, request: RestoreRequest) -> None:
    """Raises BadInput for hosts, files and ids that cannot be meant."""
    known = sorted({host.name for host in inventory.masters + inventory.etcd + inventory.leaving})
    if unknown := [name for name in request.without if name not in known]:
        raise BadInput(
            f"{', '.join(unknown)}: not a master, an etcd host or a host in the group `leaving` of this inventory",
            where="--without",
            next_step=f"use one of {', '.join(known)}",
        )
    if request.file is not None and not request.file.exists():
        raise BadInput(
            "there is no such file or directory",
            where=f"--file {request.file}",
            next_step="give an etcd snapshot, a copied snapshot's directory or a copy of /var/lib/etcd",
        )
    if request.pki is not None and not request.pki.is_dir():
        raise BadInput(
            "there is no such directory",
            where=f"--pki {request.pki}",
            next_step="give a copy of a master's /etc/kubernetes",
        )
    refuse_wrong_snapshot(request.snapshot, request.identity)


def refuse_wrong_snapshot(wanted: str | None, identity: Path | None) -> None:
    """Raises BadInput for what is no snapshot's id, and for an identity that cannot be read."""
    if wanted not in (None, LATEST) and not is_snapshot_id(str(wanted)):
        raise BadInput(
            f"{wanted!r} is not the id of a snapshot",
            next_step=f"use {LATEST}, or one that `haplane snapshot list {INVENTORY}` lists",
        )
    if identity is not None and (identity.is_file() or not identity.exists()):
        read_identities(identity)  # a pipe is read once, when it is needed
