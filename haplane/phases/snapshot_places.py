"""Where a cluster's snapshots are, as its inventory says, and whose signature is to be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from haplane.config.model import Inventory
from haplane.config.snapshots import Snapshots
from haplane.desired.snapshots import s3_settings
from haplane.errors import BadInput, HaplaneError, Unreachable
from haplane.phases.schedule_snapshots import SIGNING_PUBLIC
from haplane.pki.keys import raw_public_key
from haplane.remote.kept import Member
from haplane.remote.openssh import read_file
from haplane.snapshots.places import Bucket, Place
from haplane.snapshots.store import Store, controller_store

Answer = TypeVar("Answer")


def places_of(inventory: Inventory) -> list[Place]:
    """Every member, then the bucket if there is one."""
    settings = settings_of(inventory)
    members: list[Place] = [Member(host, settings.directory) for host in inventory.etcd]
    return [*members, Bucket(bucket_of(inventory))] if settings.s3 else members


def ask_all(places: Sequence[Place], question: Callable[[Place], Answer]) -> tuple[dict[str, Answer], dict[str, str]]:
    """All at once: the answers by place, and why the others gave none."""
    answers, silent = {}, {}
    with ThreadPoolExecutor(max(1, len(places))) as pool:
        for place, future in [(place, pool.submit(question, place)) for place in places]:
            try:
                answers[place.name] = future.result()
            except HaplaneError as error:
                silent[place.name] = f"{error.what}: {error.why}" if error.why else error.what
    return answers, silent


def ids_in(places: Sequence[Place], *, remedy: str) -> tuple[dict[str, Mapping[str, bool]], dict[str, str]]:
    """The ids in each place that answers, and why the others do not. Raises Unreachable when none does."""
    ids, silent = ask_all(places, lambda place: place.ids())
    if not ids:
        raise Unreachable(
            "neither a member nor a bucket answers",
            why="; ".join(f"{name}: {why}" for name, why in silent.items()),
            next_step=remedy,
        )
    return ids, silent


def bucket_of(inventory: Inventory) -> Store:
    """The bucket, reached from here. Raises BadInput when the inventory names none."""
    s3 = settings_of(inventory).s3
    if s3 is None:
        raise BadInput(
            "the inventory names no bucket",
            where=f'{inventory.path}: cluster["snapshots"]["s3"]',
            next_step="members prune their own snapshots by keep_local; there is nothing else to prune",
        )
    return controller_store(s3_settings(s3, s3.ca_file, s3.credentials_file), inventory.cluster.name)


def settings_of(inventory: Inventory) -> Snapshots:
    """Raises BadInput when the inventory has none."""
    if inventory.cluster.snapshots is None:
        raise BadInput(
            "this inventory takes no snapshots",
            where=f'{inventory.path}: cluster["snapshots"]',
            next_step="`haplane keys new FILE`, put the recipient there, `haplane up`; see docs/snapshots.md",
        )
    return inventory.cluster.snapshots


def known_signing_key(inventory: Inventory) -> str | None:
    """The inventory's, which nobody can forge; without it that of the first master that answers."""
    if (key := settings_of(inventory).signing_key) is not None:
        return key
    for master in inventory.masters:
        try:
            return raw_public_key(read_file(master, SIGNING_PUBLIC), f"{master.name}:{SIGNING_PUBLIC}")
        except HaplaneError:
            continue
    return None


def without_key(inventory: Inventory) -> Unreachable:
    """Nothing can be believed."""
    return Unreachable(
        "without the cluster's signing key nothing can be verified",
        where=f'{inventory.path}: cluster["snapshots"]["signing_key"]',
        why="the inventory has none, and no master answers",
        next_step="write there what `haplane up` printed",
    )
