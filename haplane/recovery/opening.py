"""A stored snapshot, decrypted and verified on this machine alone, for a restore and for `snapshot verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyrage

from haplane.agent.manifest import KEYS, PAYLOAD, Manifest
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.domain.versions import refuse_unreadable_data
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.pki.ca import certificate_fingerprint
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.database import Database, look_through, refuse_newer
from haplane.recovery.keys import identity_from_sealed
from haplane.recovery.scratch.tools import Tools
from haplane.snapshots.catalog import StoredSnapshot
from haplane.snapshots.identities import read_identities
from haplane.snapshots.opening import decrypt_database, fetch
from haplane.snapshots.places import Place


@dataclass(frozen=True)
class Opened:
    """The verified database of a snapshot, and the keys that were sealed with it."""

    database: Database
    identity: ClusterIdentity


def refuse_unreadable(inventory: Inventory, stored: StoredSnapshot, *, accept_old: bool) -> None:
    """Raises Refused where the inventory's Kubernetes version cannot read what the snapshot's stored."""
    manifest, wanted = stored.manifest, inventory.cluster.kubernetes_version
    refuse_unreadable_data(manifest.kubernetes_version, wanted, manifest.id, inventory.path, accept_old=accept_old)


def open_and_verify(stored: StoredSnapshot, identity: Path | None, tools: Tools, progress: Progress) -> Opened:
    """The first usable copy, the bucket's before members'.

    Raises BadInput without an age identity, Refused with what is wrong with the last copy when none is usable.
    """
    manifest = stored.manifest
    if identity is None:
        raise BadInput(
            "a stored snapshot is encrypted",
            where=manifest.id,
            next_step="give the operator's age identity with --identity FILE",
        )
    identities = read_identities(identity)
    refuse_newer(manifest.etcd_version, tools.etcd_version, manifest.id)
    failure: HaplaneError = Refused("neither a member nor the bucket has this snapshot", where=manifest.id)
    for place in reversed(stored.places):
        progress(place.name, f"fetching {manifest.id}, decrypting it and restoring it on a scratch etcd here")
        try:
            return _open(place, manifest, identities, tools)
        except HaplaneError as error:
            failure = error
    raise failure


def _open(place: Place, manifest: Manifest, identities: Sequence[pyrage.x25519.Identity], tools: Tools) -> Opened:
    where = f"{place.name}: {manifest.id}"
    directory = tools.new_directory("stored", manifest.database_bytes)
    for part in (PAYLOAD, KEYS):
        fetch(place, manifest, part, directory)
    path = decrypt_database(directory / PAYLOAD, manifest, identities, directory)
    (directory / PAYLOAD).unlink()
    database = look_through(path, where, tools)
    _refuse_other_content(database, manifest, where)
    identity = identity_from_sealed(_unsealed(directory / KEYS, identities, where), where)
    _refuse_other_keys(database, identity, where)
    return Opened(database, identity)


def _refuse_other_content(database: Database, manifest: Manifest, where: str) -> None:
    if (database.revision, database.records) != (manifest.revision, manifest.key_count):
        raise Refused(
            "the database does not match its manifest",
            where=where,
            why=f"it has revision {database.revision} and {database.records} keys, "
            f"revision {manifest.revision} and {manifest.key_count} keys were signed",
        )
    if manifest.uid is not None and manifest.uid != database.uid:
        raise Refused(
            "the database is of another cluster than its manifest",
            where=where,
            why=f"its kube-system namespace has the UID {database.uid}, {manifest.uid} was signed",
        )


def _unsealed(sealed: Path, identities: Sequence[pyrage.x25519.Identity], where: str) -> bytes:
    try:
        return bytes(pyrage.decrypt(sealed.read_bytes(), list(identities)))
    except pyrage.DecryptError:
        raise Refused(
            "the identity does not decrypt the keys in this snapshot",
            where=where,
            why="they were sealed to other recipients than the database",
            next_step="give the identity of a recipient that the inventory had when `haplane up` sealed the keys",
        ) from None


def _refuse_other_keys(database: Database, identity: ClusterIdentity, where: str) -> None:
    """Raises Refused when the pods in the data trust another CA than the one whose keys are sealed beside it."""
    sealed = identity.kubernetes.certificate
    if database.ca and certificate_fingerprint(database.ca) != certificate_fingerprint(sealed):
        raise Refused(
            "the sealed keys are not those of the cluster in the database",
            where=where,
            why="the pods of the database trust another CA",
        )
