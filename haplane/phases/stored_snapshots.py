"""Stored snapshots to restore from: only what this cluster signed, newest first, opened on this machine alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyrage

from haplane.bundle.compress import file_sha256
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.phases.snapshot_places import ask_all, ids_in, known_signing_key, places_of, without_key
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.snapshots.identities import read_identities
from haplane.snapshots.manifest import KEYS, MANIFEST, PAYLOAD, SIGNATURE, Manifest
from haplane.snapshots.opening import authentic_manifest, decrypt_database, is_signed
from haplane.snapshots.places import Place, Signed
from haplane.sources.database import Database, look_through, refuse_newer
from haplane.sources.directory import Directory
from haplane.sources.keys import identity_from_sealed
from haplane.sources.tools import Tools


@dataclass(frozen=True)
class Stored:
    """A snapshot that the cluster signed, and where copies of it are."""

    manifest: Manifest
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Opened:
    """What is in one: the database, looked through, and the keys that were sealed with it."""

    database: Database
    identity: ClusterIdentity


@dataclass(frozen=True)
class Shelf:
    """What can be restored from, newest first; ``doubts``: snapshots that are none, and places that do not answer."""

    snapshots: tuple[Stored, ...]
    doubts: dict[str, str]

    def choose(self, wanted: str | None) -> Stored:
        """The one of that id; without one, or for ``latest``, the newest that was taken with quorum.

        Raises BadInput when there is none, naming what is there.
        """
        if wanted in (None, "latest"):
            found = [one for one in self.snapshots if one.manifest.with_quorum]
        else:
            found = [one for one in self.snapshots if one.manifest.id == wanted]
        if found:
            return found[0]
        doubts = "; ".join(f"{name}: {why}" for name, why in self.doubts.items())
        raise BadInput(
            "there is no such snapshot" if wanted not in (None, "latest") else "there is no good snapshot",
            where=wanted,
            why=doubts or None,
            next_step=f"there are {', '.join(one.manifest.id for one in self.snapshots[:3]) or 'none'}",
        )

    def older(self, than: Manifest) -> Stored | None:
        """The next older good one."""
        return next(
            (one for one in self.snapshots if one.manifest.with_quorum and one.manifest.taken_at < than.taken_at),
            None,
        )


def shelf_of(inventory: Inventory, progress: Progress) -> Shelf:
    """Everything that members and the bucket keep. Raises Unreachable when nobody answers or nothing is signed."""
    progress("snapshots", "asking members and the bucket")
    places = places_of(inventory)
    ids, silent = ids_in(places, remedy="check the credentials for the bucket, or give a copied snapshot with --file")
    complete = {name: [one for one, whole in found.items() if whole] for name, found in ids.items()}
    asked = [place for place in places if place.name in ids]
    signed, unread = ask_all(asked, lambda place: place.signed(complete[place.name]))
    return judge(asked, signed, _key(inventory), inventory.cluster.name, silent | unread)


def _key(inventory: Inventory) -> str:
    key = known_signing_key(inventory)
    if key is None:
        raise without_key(inventory)
    return key


def judge(
    places: Sequence[Place], signed: dict[str, dict[str, Signed]], key: str, cluster: str, silent: dict[str, str]
) -> Shelf:
    """Copies whose manifest that key signed; the others are doubts."""
    found: dict[str, Stored] = {}
    doubts = dict(silent)
    for place in places:
        for snapshot, one in signed.get(place.name, {}).items():
            where = f"{place.name}: {snapshot}"
            try:
                manifest = authentic_manifest(
                    one.manifest, one.signature, signing_key=key, snapshot=snapshot, cluster=cluster, where=where
                )
            except HaplaneError as error:
                doubts[where] = error.what
                continue
            before = found.get(snapshot)
            found[snapshot] = Stored(manifest, (*(before.places if before else ()), place))
    newest_first = sorted(found.values(), key=lambda one: one.manifest.taken_at, reverse=True)
    return Shelf(tuple(newest_first), doubts)


def copied_snapshot(directory: Path, inventory: Inventory, *, unsigned: bool) -> Stored:
    """A snapshot's directory that was copied here. Raises Refused unless it is signed or may be ``unsigned``."""
    place = Directory(directory)
    content, signature = place.part(MANIFEST), place.part(SIGNATURE)
    if unsigned:
        return Stored(Manifest.from_bytes(content, str(directory)), (place,))
    key, where = _key(inventory), str(directory)
    signed = is_signed(content, signature, key)
    snapshot = (
        Manifest.from_bytes(content, where).id if signed else directory.name
    )  # the copy may be called otherwise
    manifest = authentic_manifest(
        content, signature, signing_key=key, snapshot=snapshot, cluster=inventory.cluster.name, where=where
    )
    return Stored(manifest, (place,))


def open_stored(stored: Stored, identity: Path | None, tools: Tools, etcd_version: str, progress: Progress) -> Opened:
    """The first copy that is whole, decrypted here and tried out; the bucket's before members'.

    Raises BadInput without an identity, Refused with what is wrong with the last copy when none is whole.
    """
    if identity is None:
        raise BadInput(
            "a stored snapshot is encrypted",
            where=stored.manifest.id,
            next_step="give the operator's age identity with --identity FILE",
        )
    identities = read_identities(identity)
    refuse_newer(stored.manifest.etcd_version, etcd_version, stored.manifest.id)
    failure: HaplaneError = Refused("no place has this snapshot", where=stored.manifest.id)
    for place in reversed(stored.places):
        progress(place.name, f"fetching {stored.manifest.id}, decrypting it and trying it out here")
        try:
            return _open(place, stored.manifest, identities, tools, etcd_version)
        except HaplaneError as error:
            failure = error
    raise failure


def _open(
    place: Place, manifest: Manifest, identities: Sequence[pyrage.x25519.Identity], tools: Tools, etcd_version: str
) -> Opened:
    where = f"{place.name}: {manifest.id}"
    directory = tools.new_directory("stored")
    for part, digest in ((PAYLOAD, manifest.payload_sha256), (KEYS, manifest.keys.sha256)):
        place.download(manifest.id, part, directory / part)
        if file_sha256(directory / part) != digest:
            raise Refused(
                f"{part} is not what was signed",
                where=where,
                why="it was cut short, or changed by somebody who cannot sign for the cluster",
            )
    path = decrypt_database(directory / PAYLOAD, manifest, identities, directory)
    (directory / PAYLOAD).unlink()
    database = look_through(path, where, tools, etcd_version=etcd_version)
    if (database.revision, database.records) != (manifest.revision, manifest.key_count):
        raise Refused(
            "what is in it is not what its manifest says",
            where=where,
            why=f"revision {database.revision} with {database.records} keys, "
            f"signed were {manifest.revision} with {manifest.key_count}",
        )
    if manifest.uid is not None and manifest.uid != database.uid:
        raise Refused("it is of another cluster than its manifest says", where=where)
    sealed = pyrage.decrypt((directory / KEYS).read_bytes(), list(identities))
    return Opened(database, identity_from_sealed(sealed, where))
