"""``haplane snapshot verify``: every copy of one snapshot read back, then opened exactly as a restore opens it.

It changes nothing anywhere, so it needs no lock and suits a nightly timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from haplane.agent.manifest import KEYS, MOST_BYTES, PAYLOAD, Manifest
from haplane.bundle.command import build_for
from haplane.bundle.image_program import extract_program
from haplane.bundle.manifest import Manifest as BundleManifest
from haplane.bundle.manifest import bundle_directory, load_manifest
from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.errors import BadInput, ExitCode, HaplaneError, Refused
from haplane.executor import Executor
from haplane.recovery.data_age import why_too_old
from haplane.recovery.database import Database
from haplane.recovery.input import refuse_wrong_snapshot
from haplane.recovery.opening import Opened, open_and_verify, refuse_unreadable
from haplane.recovery.places import catalog_of, places_of, required_signing_keys
from haplane.recovery.same_cluster import read_cluster_mark, refuse_other_cluster
from haplane.recovery.scratch.api_server import Proof, prove
from haplane.recovery.scratch.tools import Tools, etcd_tools
from haplane.snapshots.catalog import LATEST, SnapshotCatalog, StoredSnapshot
from haplane.snapshots.places import Place
from haplane.snapshots.signatures import SigningKeys, authentic_manifest
from haplane.workflows.prepare import over_ssh

BUCKET = "bucket"
APISERVER = "kube-apiserver"


@dataclass(frozen=True)
class Copy:
    """One copy: ``place`` is a member or the bucket, ``problem`` None when it is complete and as signed."""

    place: str
    problem: str | None


@dataclass(frozen=True)
class Verified:
    """``database`` is None without an age identity or a complete copy, ``proof`` also unless asked for.

    ``passed_over``: newer snapshots that are not usable, and why. ``problem``: why it is not the one that should be
    there.
    """

    manifest: Manifest
    copies: tuple[Copy, ...]
    database: Database | None = None
    proof: Proof | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """6 when a copy has a problem or newer snapshots are missing."""
        incomplete = self.problem is not None or any(copy.problem for copy in self.copies)
        return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE


def verify_snapshot(
    inventory: Inventory,
    wanted: str,
    identity: Path | None,
    progress: Progress,
    *,
    deep: bool = False,
    executor: Executor | None = None,
) -> Verified:
    """``wanted`` is an id or ``latest``; with ``deep`` an API server on this machine reads every object.

    Raises BadInput when there is no such snapshot, Refused with the reason for which a restore would refuse it.
    """
    if deep and identity is None:
        raise BadInput("--deep reads what is encrypted", next_step="give the operator's age identity with --identity")
    refuse_wrong_snapshot(wanted, identity)
    executor = executor or over_ssh(progress)
    keys = required_signing_keys(inventory, executor)
    catalog = catalog_of(inventory, executor, only=None if wanted == LATEST else wanted)
    chosen = catalog.choose(wanted)
    copies, complete = _check_copies(inventory, catalog, chosen, keys, executor)
    opened, proof = None, None
    if identity is not None and complete:
        stored = StoredSnapshot(chosen.manifest, tuple(complete))
        bundle = bundle_directory(inventory.cluster.bundle, inventory.cluster.kubernetes_version)
        manifest = load_manifest(bundle, build_for(inventory))
        with etcd_tools(bundle, manifest) as tools:
            opened = _open(inventory, stored, identity, tools, executor)
            proof = _prove(opened, bundle, manifest, tools, progress) if deep else None
    age = (executor.now() - chosen.manifest.taken_at).total_seconds()
    return Verified(
        manifest=chosen.manifest,
        copies=copies,
        database=opened.database if opened else None,
        proof=proof,
        passed_over={
            one.id: one.refused or one.problem or ""
            for one in catalog.entries
            if one.id > chosen.manifest.id and not one.usable
        },
        problem=why_too_old(inventory, age) if wanted == LATEST else None,
    )


def _check_copies(
    inventory: Inventory, catalog: SnapshotCatalog, chosen: StoredSnapshot, keys: SigningKeys, executor: Executor
) -> tuple[tuple[Copy, ...], list[Place]]:
    """The result for each place that should have a copy, and the places with a complete copy."""
    entry = catalog.entry(chosen.manifest.id)
    expected = {*(entry.where if entry else ()), BUCKET} - set(catalog.unread)
    copies, complete = [], []
    for place in (place for place in places_of(inventory, executor) if place.name in expected):
        executor.progress(place.name, f"reading {chosen.manifest.id}")
        try:
            _check_copy(place, chosen.manifest.id, keys, inventory.cluster.name)
        except HaplaneError as error:
            copies.append(Copy(place.name, error.brief))
        else:
            complete.append(place)
            copies.append(Copy(place.name, None))
    copies += [Copy(name, f"could not be read: {why}") for name, why in catalog.unread.items()]
    return tuple(copies), complete


def _check_copy(place: Place, snapshot: str, keys: SigningKeys, cluster: str) -> None:
    """Raises Refused unless the whole copy is what was signed."""
    where = f"{place.name}: {snapshot}"
    signed = place.signed([snapshot]).get(snapshot)
    if signed is None:
        raise Refused("it is not there", where=where)
    manifest = authentic_manifest(
        signed.manifest, signed.signature, keys=keys, snapshot=snapshot, cluster=cluster, where=where
    )
    digest, size = place.digest(snapshot, PAYLOAD, manifest.payload_bytes)
    if (digest, size) != (manifest.payload_sha256, manifest.payload_bytes):
        raise Refused(f"{PAYLOAD} is not what was signed", where=where, why=f"{size} bytes, SHA-256 {digest[:12]}...")
    if place.digest(snapshot, KEYS, MOST_BYTES[KEYS])[0] != manifest.keys.sha256:
        raise Refused(f"{KEYS} is not what was signed", where=where)


def _open(inventory: Inventory, stored: StoredSnapshot, identity: Path, tools: Tools, executor: Executor) -> Opened:
    refuse_unreadable(inventory, stored, accept_old=True)  # a restore takes an old one with --accept-loss
    opened = open_and_verify(stored, identity, tools, executor.progress)
    refuse_other_cluster(stored.manifest.id, opened.database, opened.identity, read_cluster_mark(inventory, executor))
    return opened


def _prove(opened: Opened, bundle: Path, manifest: BundleManifest, tools: Tools, progress: Progress) -> Proof:
    """Serve the opened database with the API server of the bundle, and read every object of it."""
    image = next((one.file for one in manifest.images if f"/{APISERVER}:" in one.reference), None)
    if image is None:
        next_step = f"`{manifest.build_command(bundle)}`"
        raise BadInput(f"the bundle has no {APISERVER}", where=str(bundle), next_step=next_step)
    program = tools.directory / APISERVER
    extract_program(bundle, image, APISERVER, program)
    progress(APISERVER, "serving the snapshot on a scratch etcd and API server here, and reading every object")
    return prove(opened.database, opened.identity, tools, program)
