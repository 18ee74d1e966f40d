"""``haplane snapshot``: take one now, list, verify and prune. It changes no host, so it needs no lock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from haplane.config.model import Inventory
from haplane.desired.snapshots import keep_policy
from haplane.domain import retention
from haplane.domain.observed import Observation
from haplane.domain.progress import Progress
from haplane.domain.slots import Candidate, eligible
from haplane.errors import ExitCode, HaplaneError, Unreachable
from haplane.phases.observe import observe
from haplane.phases.snapshot_places import (
    ask_all,
    bucket_of,
    ids_in,
    known_signing_key,
    places_of,
    settings_of,
    without_key,
)
from haplane.remote.agent import ask_agent
from haplane.snapshots.manifest import Manifest, SnapshotId
from haplane.snapshots.opening import authentic_manifest
from haplane.snapshots.packaging import RUN
from haplane.snapshots.places import Bucket, Signed
from haplane.workflows.status import looking_run

TAKE_SECONDS = 3600
ABANDONED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Listed:
    """One snapshot: the places that have it whole, its manifest, and why it is none to rely on, if it is none."""

    id: str
    where: tuple[str, ...]
    manifest: Manifest | None
    problem: str | None = None

    @property
    def verified(self) -> bool:
        """Signed by the cluster, restored once when it was taken, and taken with quorum."""
        return self.problem is None and self.manifest is not None and self.manifest.with_quorum


@dataclass(frozen=True)
class Listing:
    """Newest first. ``silent``: places that could not be asked, and why."""

    snapshots: tuple[Listed, ...]
    silent: dict[str, str]

    @property
    def exit_code(self) -> ExitCode:
        """6 when a place could not be asked."""
        return ExitCode.INCOMPLETE if self.silent else ExitCode.DONE


@dataclass(frozen=True)
class Pruning:
    """What goes out of the bucket: what the policy does not keep, and what nobody completed within a day.

    ``left_alone``: what is not shown to be this cluster's own, and why.
    """

    kept: tuple[str, ...]
    removable: tuple[str, ...]
    abandoned: tuple[str, ...]
    left_alone: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


def take(inventory: Inventory, progress: Progress) -> Manifest:
    """One snapshot now, by a healthy member that does not lead, if there is one. Raises Unreachable without any."""
    settings_of(inventory)
    run = looking_run(inventory, progress)
    observe(run)
    names = eligible(candidates(inventory, run.observation))
    if not names:
        raise Unreachable(
            "no member can take a snapshot now",
            where=", ".join(host.name for host in inventory.etcd),
            why="none of them reads through quorum and has the snapshot agent",
            next_step=f"haplane status {inventory.path}",
        )
    member = inventory.host(names[0])
    progress(member.name, "taking a snapshot")
    said = ask_agent(member, RUN, "take", deadline_seconds=TAKE_SECONDS)
    return Manifest.from_bytes(json.dumps(said).encode(), f"{member.name}: snapshot agent, take")


def candidates(inventory: Inventory, observation: Observation) -> list[Candidate]:
    """The members as they look from here."""
    found = []
    for host in inventory.etcd:
        report = observation.reports.get(host.name)
        status = report.etcd.status if report else None
        healthy = bool(report and report.etcd.reads_through_quorum and report.snapshots and report.snapshots.agent)
        leads = bool(status and status.leader == status.header.member_id)
        found.append(Candidate(host.name, healthy=healthy, leader=leads))
    return found


def list_snapshots(
    inventory: Inventory, progress: Progress, *, most: int | None = None, only: str | None = None
) -> Listing:
    """Those of members and of the bucket: the ``most`` newest, ``only`` that one, or all.

    Raises Unreachable when no place answers.
    """
    settings_of(inventory)
    progress("snapshots", "asking members and the bucket")
    places = places_of(inventory)
    ids, silent = ids_in(places, remedy="check that they are on, and the credentials for the bucket")
    every = {each for found in ids.values() for each in found}
    shown = sorted(every & {only} if only else every, reverse=True)[:most]
    asked = [place for place in places if place.name in ids]
    signed, unread = ask_all(asked, lambda place: place.signed([one for one in shown if ids[place.name].get(one)]))
    key = known_signing_key(inventory)
    listed = tuple(
        judge(each, {name: found.get(each) for name, found in signed.items() if each in ids[name]}, key, inventory)
        for each in shown
    )
    return Listing(listed, silent | unread)


def judge(snapshot: str, copies: dict[str, Signed | None], key: str | None, inventory: Inventory) -> Listed:
    """What its copies are worth; one without a manifest and a signature is incomplete."""
    whole = {name: signed for name, signed in copies.items() if signed is not None}
    manifest, problems = None, [f"incomplete ({name})" for name, signed in copies.items() if signed is None]
    for name, signed in whole.items():
        where = f"{name}: {snapshot}"
        try:
            manifest = believed(signed, key, snapshot, inventory.cluster.name, where)
        except HaplaneError as error:
            problems.append(f"{error.what} ({name})")
    if key is None:
        problems.append("its signature cannot be checked: the inventory has no signing_key and no master answers")
    return Listed(snapshot, tuple(whole), manifest, "; ".join(problems) or None)


def believed(signed: Signed, key: str | None, snapshot: str, cluster: str, where: str) -> Manifest:
    """The manifest; without a key its signature is not checked. Raises Refused."""
    if key is None:
        return Manifest.from_bytes(signed.manifest, where)
    return authentic_manifest(
        signed.manifest, signed.signature, signing_key=key, snapshot=snapshot, cluster=cluster, where=where
    )


def plan_pruning(inventory: Inventory, progress: Progress, now: datetime) -> Pruning:
    """What the bucket's retention removes; only what this cluster signed, or began and left, can be."""
    settings = settings_of(inventory)
    bucket = Bucket(bucket_of(inventory))
    progress("bucket", "reading manifests")
    ids, key = bucket.ids(), known_signing_key(inventory)
    if key is None:
        raise without_key(inventory)
    abandoned = [each for each, complete in ids.items() if not complete and is_abandoned(each, now)]
    own, left_alone = [], {}
    for each, signed in bucket.signed([one for one, complete in ids.items() if complete]).items():
        try:
            own.append(believed(signed, key, each, inventory.cluster.name, f"bucket: {each}").taken)
        except HaplaneError as error:
            left_alone[each] = error.what
    verdict = retention.keep(own, keep_policy(settings.keep_remote))
    return Pruning(
        kept=tuple(taken.id for taken in verdict.kept),
        removable=tuple(taken.id for taken in verdict.removable),
        abandoned=tuple(sorted(abandoned)),
        left_alone=left_alone,
    )


def prune(inventory: Inventory, pruning: Pruning, progress: Progress) -> Pruning:
    """Remove what was planned; interrupted, it goes on where it was."""
    store = bucket_of(inventory)
    for count, each in enumerate(gone := pruning.removable + pruning.abandoned):
        progress("bucket", f"removing {each}", count / len(gone))
        store.delete(each)
    return replace(pruning, removed=gone)


def is_abandoned(snapshot: str, now: datetime) -> bool:
    """Whether it was begun so long ago that nobody can be uploading it any more."""
    return now - SnapshotId.parse(snapshot).taken_at > ABANDONED_AFTER
