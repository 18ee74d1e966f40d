"""``haplane snapshot verify``: every copy of one snapshot read back, and with an identity restored here."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyrage

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.bundle.unpack import unpack_program
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.errors import BadInput, ExitCode, HaplaneError, Refused
from haplane.phases.snapshot_places import known_signing_key, places_of, without_key
from haplane.snapshots.manifest import KEYS, PAYLOAD, Manifest
from haplane.snapshots.opening import Contents, decrypt_database, rehearse
from haplane.snapshots.places import Place
from haplane.workflows.snapshot import Listed, believed, list_snapshots

LATEST = "latest"
NEWEST = 10
"""Among so many there is one that is complete: one upload is under way at a time."""

BUCKET = "bucket"


@dataclass(frozen=True)
class Copy:
    """One copy: ``place`` is a member or the bucket, ``problem`` None when all of it is as the cluster signed it."""

    place: str
    problem: str | None


@dataclass(frozen=True)
class Verified:
    """``restored`` is what a scratch restore held, None without an identity or a copy that is whole."""

    id: str
    manifest: Manifest | None
    copies: tuple[Copy, ...]
    restored: Contents | None

    @property
    def exit_code(self) -> ExitCode:
        """6 when any copy is not whole."""
        return ExitCode.INCOMPLETE if any(copy.problem for copy in self.copies) else ExitCode.DONE


def verify_snapshot(
    inventory: Inventory, wanted: str, identities: Sequence[pyrage.x25519.Identity], progress: Progress
) -> Verified:
    """``wanted`` is an id or ``latest``. Raises BadInput when there is none, Refused when no copy restores."""
    latest = wanted == LATEST
    listing = list_snapshots(inventory, progress, most=NEWEST if latest else None, only=None if latest else wanted)
    listed = choose(listing.snapshots, wanted, inventory)
    key = known_signing_key(inventory)
    if key is None:
        raise without_key(inventory)
    expected = [place for place in places_of(inventory) if place.name in (*listed.where, BUCKET)]
    copies, whole, manifest = [], [], None
    for place in expected:
        progress(place.name, f"reading {listed.id}")
        try:
            manifest = check_copy(place, listed.id, key, inventory.cluster.name)
            whole.append(place)
            copies.append(Copy(place.name, None))
        except HaplaneError as error:
            copies.append(Copy(place.name, f"{error.what}: {error.why}" if error.why else error.what))
    copies += [Copy(name, f"could not be asked: {why}") for name, why in listing.silent.items() if name != BUCKET]
    restored = None
    if identities and whole and manifest is not None:
        restored = restore_from(whole[-1], manifest, identities, inventory, progress)
    return Verified(listed.id, manifest, tuple(copies), restored)


def choose(snapshots: Sequence[Listed], wanted: str, inventory: Inventory) -> Listed:
    """Raises BadInput when it is not there."""
    complete = [listed for listed in snapshots if listed.where]
    found = complete if wanted == LATEST else [listed for listed in complete if listed.id == wanted]
    if not found:
        raise BadInput(
            "there is no snapshot yet" if wanted == LATEST else "there is no such snapshot",
            where=wanted,
            next_step=f"haplane snapshot list {inventory.path}",
        )
    return found[0]


def check_copy(place: Place, snapshot: str, key: str, cluster: str) -> Manifest:
    """The manifest, when the whole copy is what was signed. Raises Refused with what is not."""
    where = f"{place.name}: {snapshot}"
    signed = place.signed([snapshot]).get(snapshot)
    if signed is None:
        raise Refused("it is not there", where=where)
    manifest = believed(signed, key, snapshot, cluster, where)
    digest, size = place.digest(snapshot, PAYLOAD)
    if (digest, size) != (manifest.payload_sha256, manifest.payload_bytes):
        raise Refused(f"{PAYLOAD} is not what was signed", where=where, why=f"{size} bytes, SHA-256 {digest[:12]}...")
    if place.digest(snapshot, KEYS)[0] != manifest.keys.sha256:
        raise Refused(f"{KEYS} is not what was signed", where=where)
    return manifest


def restore_from(
    place: Place,
    manifest: Manifest,
    identities: Sequence[pyrage.x25519.Identity],
    inventory: Inventory,
    progress: Progress,
) -> Contents:
    """Decrypt it here, restore it into a scratch directory that goes away, and compare what is in there.

    Raises Refused when it is not what the manifest says.
    """
    with tempfile.TemporaryDirectory(prefix="haplane-verify-") as name:
        directory = Path(name)
        etcdutl = etcdutl_of(inventory, directory)
        progress(place.name, "decrypting and restoring it here")
        place.download(manifest.id, PAYLOAD, directory / PAYLOAD)
        database = decrypt_database(directory / PAYLOAD, manifest, identities, directory)
        contents = rehearse(database, etcdutl, directory)
    if contents != Contents(manifest.revision, manifest.key_count):
        raise Refused(
            "what was restored is not what was taken",
            where=manifest.id,
            why=f"revision {contents.revision} with {contents.key_count} keys, "
            f"signed were {manifest.revision} with {manifest.key_count}",
        )
    return contents


def etcdutl_of(inventory: Inventory, directory: Path) -> Path:
    """The bundle's, unpacked there."""
    cluster = inventory.cluster
    bundle = Path(cluster.bundle).expanduser() if cluster.bundle else default_directory(cluster.kubernetes_version)
    return unpack_program(bundle, load_manifest(bundle), "/usr/local/bin/etcdutl", directory)
