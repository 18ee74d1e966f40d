"""What is known of each snapshot, from every copy of its manifest. The one judgement that everything goes by.

A snapshot is usable when a copy of its manifest is signed by this cluster, when it is not dated in the future, and
when its revision is credible: a cluster can reach it, and later ones of this cluster do not contradict it. Others are
shown with the reason and never restored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from haplane.agent.manifest import Manifest
from haplane.domain.history import contradicted, why_incredible, why_not_yet
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.snapshots.places import Place, Signed
from haplane.snapshots.signatures import SigningKeys, authentic_manifest, was_ours

READ_AT_ONCE = 200
READ_SECONDS = 900.0
"""For all manifests of a place: 20 000 small files are read in a tenth of that."""


@dataclass(frozen=True)
class CatalogEntry:
    """One snapshot. ``where``: the places with a complete copy; ``signed_in``: those whose copy the cluster signed.

    ``problem`` is everything that is wrong with any copy; ``refused`` why the snapshot cannot be used at all.
    ``unsigned``: no key of the cluster, not even a revoked one, signed any copy.
    """

    id: str
    where: tuple[str, ...]
    manifest: Manifest | None
    problem: str | None = None
    refused: str | None = None
    signed_in: tuple[Place, ...] = ()
    unsigned: bool = False

    @property
    def usable(self) -> bool:
        """Whether the cluster signed it, and neither its date nor its revision is refused."""
        return self.refused is None and self.manifest is not None and bool(self.signed_in)

    @property
    def verified(self) -> bool:
        """Usable, taken with quorum, and every copy is complete."""
        return self.usable and self.problem is None and self.manifest is not None and self.manifest.with_quorum


@dataclass(frozen=True)
class Copy:
    """One place's manifest of a snapshot, or what is wrong with it. ``ours``: a key of the cluster signed it as that
    snapshot of this cluster, be the key revoked.
    """

    manifest: Manifest | None
    problem: str | None = None
    ours: bool = True


@dataclass(frozen=True)
class Copies:
    """What was read of ``places``, by their names: which ids each has and whether complete, and their manifests."""

    places: Sequence[Place]
    complete: Mapping[str, Mapping[str, bool]]
    read: Mapping[str, Mapping[str, Copy]]


@dataclass(frozen=True)
class Standard:
    """What copies are checked against. Without ``keys`` no snapshot is usable, and ``why`` there are none."""

    keys: SigningKeys | None
    cluster: str
    now: datetime
    why: str = "the inventory has no signing key and no master is reachable"


def read_signed(place: Place, ids: Sequence[str], standard: Standard) -> dict[str, Copy]:
    """What is wrong with the manifests that ``place`` has of ``ids``, and those that are right, in bounded memory.

    Raises DeadlinePassed when it is not through after READ_SECONDS.
    """
    found, deadline = {}, time.monotonic() + READ_SECONDS
    for start in range(0, len(ids), READ_AT_ONCE):
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"{place.name} did not send its manifests within {READ_SECONDS} s")
        for each, one in place.signed(ids[start : start + READ_AT_ONCE]).items():
            found[each] = _checked(one, standard, each, f"{place.name}: {each}")
    return found


def _checked(one: Signed, standard: Standard, snapshot: str, where: str) -> Copy:
    """Only what was parsed is kept: whoever signed one manifest can pad it, and store it under any number of ids."""
    try:
        return Copy(_manifest(one, standard, snapshot, where))
    except HaplaneError as error:
        ours = standard.keys is None or was_ours(
            one.manifest, one.signature, standard.keys, snapshot, standard.cluster
        )
        return Copy(None, error.what, ours=ours)


def assess_copies(copies: Copies, standard: Standard) -> tuple[CatalogEntry, ...]:
    """An entry for every snapshot that a place has, the newest first."""
    ids = sorted({each for found in copies.complete.values() for each in found}, reverse=True)
    entries = [_assess(each, copies, standard) for each in ids]
    usable = [(index, each.manifest) for index, each in enumerate(entries) if each.usable and each.manifest]
    for position, why in contradicted([manifest for _, manifest in usable]).items():
        index = usable[position][0]
        entries[index] = _refused(entries[index], why)
    return tuple(entries)


def _assess(snapshot: str, copies: Copies, standard: Standard) -> CatalogEntry:
    where, signed_in, problems, read = [], [], [], []
    manifest: Manifest | None = None
    for place in (place for place in copies.places if snapshot in copies.complete.get(place.name, {})):
        copy = copies.read.get(place.name, {}).get(snapshot)
        if copy is None:
            problems.append(f"incomplete ({place.name})")
            continue
        read.append(copy)
        where.append(place.name)
        if copy.manifest is None:
            problems.append(f"{copy.problem} ({place.name})")
            continue
        manifest = copy.manifest
        signed_in += [place] if standard.keys is not None else []
    if standard.keys is None:
        problems.append(f"its signature cannot be checked: {standard.why}")
    entry = CatalogEntry(
        snapshot,
        tuple(where),
        manifest,
        "; ".join(problems) or None,
        signed_in=tuple(signed_in),
        unsigned=bool(read) and not any(copy.ours for copy in read),
    )
    why = None
    if manifest is not None:
        why = why_not_yet(manifest.taken_at, standard.now) or why_incredible(manifest.revision)
    return _refused(entry, why) if why else entry


def _manifest(copy: Signed, standard: Standard, snapshot: str, where: str) -> Manifest:
    if standard.keys is None:
        return Manifest.from_bytes(copy.manifest, where)
    return authentic_manifest(
        copy.manifest,
        copy.signature,
        keys=standard.keys,
        snapshot=snapshot,
        cluster=standard.cluster,
        where=where,
    )


def _refused(entry: CatalogEntry, why: str) -> CatalogEntry:
    return replace(entry, refused=why, problem=f"{entry.problem}; {why}" if entry.problem else why)
