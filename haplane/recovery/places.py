"""Where a cluster's snapshots are, by its inventory, which keys sign them, and the catalog of all of them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from haplane.agent.manifest import MANIFEST, SIGNATURE, Manifest
from haplane.agent.store import Store
from haplane.config.model import Inventory
from haplane.config.snapshots import Snapshots
from haplane.desired.snapshots import s3_settings
from haplane.domain import host_paths
from haplane.domain.history import why_not_yet
from haplane.errors import BadInput, HaplaneError, Refused, Unreachable
from haplane.executor import Executor
from haplane.pki.keys import raw_public_key
from haplane.snapshots.catalog import SnapshotCatalog, StoredSnapshot, read_catalog
from haplane.snapshots.directory import Directory
from haplane.snapshots.entries import Standard
from haplane.snapshots.places import Bucket, Place, controller_store
from haplane.snapshots.signatures import SigningKeys, authentic_manifest

REMEDY = "check that the members are on, and the credentials for the bucket"


def places_of(inventory: Inventory, executor: Executor, without: Collection[str] = ()) -> list[Place]:
    """Every member that is not left out, then the bucket if there is one."""
    settings = settings_of(inventory)
    hosts = [host for host in inventory.etcd if host.name not in without]
    members: list[Place] = [executor.stored_snapshots(host, settings.directory) for host in hosts]
    return [*members, Bucket(bucket_of(inventory))] if settings.s3 else members


def catalog_of(
    inventory: Inventory,
    executor: Executor,
    *,
    most: int | None = None,
    only: str | None = None,
    named: str | None = None,
    remedy: str = REMEDY,
    without: Collection[str] = (),
) -> SnapshotCatalog:
    """The catalog of members, but for those ``without``, and bucket; the rest is as :func:`read_catalog` has it.

    Raises Unreachable when no place responds.
    """
    places = places_of(inventory, executor, without)
    executor.progress("snapshots", "reading the members and the bucket")
    keys = known_signing_keys(inventory, executor)
    why = "" if keys else why_no_keys(inventory, executor)
    standard = Standard(keys, inventory.cluster.name, executor.now(), why)
    return read_catalog(places, standard, remedy=remedy, most=most, only=only, named=named)


def copied_snapshot(directory: Path, inventory: Inventory, executor: Executor, *, unsigned: bool) -> StoredSnapshot:
    """A snapshot's directory that was copied here. Raises Refused unless it is signed or may be ``unsigned``."""
    place = Directory(directory)
    content, signature = place.part(MANIFEST), place.part(SIGNATURE)
    where = str(directory)
    if unsigned:
        return StoredSnapshot(Manifest.from_bytes(content, where), (place,))
    manifest = authentic_manifest(
        content,
        signature,
        keys=required_signing_keys(inventory, executor),
        snapshot=None,  # the copy may have another name
        cluster=inventory.cluster.name,
        where=where,
    )
    if why := why_not_yet(manifest.taken_at, executor.now()):
        raise Refused(
            "this snapshot cannot be restored", where=where, why=why, next_step="to use it anyway: --unsigned"
        )
    return StoredSnapshot(manifest, (place,))


def bucket_of(inventory: Inventory) -> Store:
    """The bucket, with the controller's credentials. Raises BadInput when the inventory names none."""
    s3 = settings_of(inventory).s3
    if s3 is None:
        raise BadInput(
            "the inventory names no bucket",
            where=f'{inventory.path}: cluster["snapshots"]["s3"]',
            next_step='members prune their own snapshots by cluster["snapshots"]["keep_local"]; '
            "there is nothing else to prune",
        )
    return controller_store(s3_settings(s3, s3.ca_file, s3.credentials_file), inventory.cluster.name)


def count_in_bucket(inventory: Inventory) -> int | None:
    """The number of complete snapshots in the bucket; None without a bucket, or when it does not respond."""
    settings = inventory.cluster.snapshots
    if settings is None or settings.s3 is None:
        return None
    try:
        return sum(Bucket(bucket_of(inventory)).ids().values())
    except HaplaneError:
        return None


def settings_of(inventory: Inventory) -> Snapshots:
    """Raises BadInput when the inventory has none."""
    if inventory.cluster.snapshots is None:
        raise BadInput(
            "this inventory takes no snapshots",
            where=f'{inventory.path}: cluster["snapshots"]',
            next_step="run `haplane keys new FILE`, put the recipient there, run `haplane up`; see docs/snapshots.md",
        )
    return inventory.cluster.snapshots


def known_signing_keys(inventory: Inventory, executor: Executor) -> SigningKeys | None:
    """The inventory's keys; without one there, the key that all reachable masters hold.

    None when the inventory has none and no master is reachable. Raises Refused when masters hold different ones.
    """
    settings = settings_of(inventory)
    previous, revoked = settings.previous_signing_keys, frozenset(settings.revoked_signing_keys)
    if settings.signing_key is not None:
        return SigningKeys((settings.signing_key, *previous), revoked)
    held, _ = _held_by_masters(inventory, executor)
    if len(set(held.values())) > 1:
        raise Refused(
            "masters hold different signing keys",
            where=", ".join(held),
            why="; ".join(f"{name}: {key}" for name, key in held.items()),
            next_step=f'write the right one into {inventory.path}: cluster["snapshots"]["signing_key"]',
        )
    return SigningKeys((next(iter(held.values())), *previous), revoked) if held else None


def refuse_key_not_in(keys: SigningKeys, inventory: Inventory, executor: Executor) -> None:
    """Raises Refused when a reachable master holds a signing key that is not among them: what it has signed would be
    taken for unsigned.
    """
    known = {*keys.trusted, *keys.revoked}
    held, unread = _held_by_masters(inventory, executor)
    if damaged := {name: error.brief for name, error in unread.items() if isinstance(error, Refused)}:
        raise Refused(
            "a master's signing key cannot be compared with the inventory's; nothing was removed",
            where=", ".join(damaged),
            why="; ".join(damaged.values()),
            next_step=f"copy {host_paths.SIGNING_PUB} there from another master",
        )
    others = {name: key for name, key in held.items() if key not in known}
    if others:
        raise Refused(
            "the cluster's signing key is not the one in the inventory; nothing was removed",
            where=", ".join(others),
            why="snapshots that it signed would be removed as unsigned",
            next_step=f'in {inventory.path}: cluster["snapshots"]["signing_key"] = "{next(iter(others.values()))}", '
            'and add the present one to cluster["snapshots"]["previous_signing_keys"]',
        )


def _held_by_masters(inventory: Inventory, executor: Executor) -> tuple[dict[str, str], dict[str, HaplaneError]]:
    """The public half that each master holds, by its name, and why that of others is not known: Refused for one that
    is damaged.
    """
    held, unread = {}, {}
    for master in inventory.masters:
        try:
            content = executor.run(master, "cat", host_paths.SIGNING_PUB)
            held[master.name] = raw_public_key(content, f"{master.name}:{host_paths.SIGNING_PUB}")
        except HaplaneError as error:
            unread[master.name] = error
    return held, unread


def why_no_keys(inventory: Inventory, executor: Executor) -> str:
    """Where the inventory has none and :func:`known_signing_keys` finds none."""
    _, unread = _held_by_masters(inventory, executor)
    return "; ".join(["the inventory has no signing key", *(f"{name}: {one.brief}" for name, one in unread.items())])


def required_signing_keys(inventory: Inventory, executor: Executor) -> SigningKeys:
    """As :func:`known_signing_keys`. Raises Unreachable when there are none: then no snapshot can be verified."""
    keys = known_signing_keys(inventory, executor)
    if keys is None:
        raise Unreachable(
            "without the cluster's signing key no snapshot can be verified",
            where=f'{inventory.path}: cluster["snapshots"]["signing_key"]',
            why=why_no_keys(inventory, executor),
            next_step="write the key that `haplane up` printed there",
        )
    return keys
