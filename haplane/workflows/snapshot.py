"""``haplane snapshot``: take one now, list, verify and prune. It changes no host, so it needs no lock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from haplane.agent.manifest import PAYLOAD, Manifest, SnapshotId
from haplane.agent.store import ListedSnapshot
from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.request import Request
from haplane.desired.snapshots import keep_policy
from haplane.domain import retention
from haplane.domain.progress import Progress
from haplane.domain.retention import Taken
from haplane.domain.slots import eligible
from haplane.errors import DeadlinePassed, ExitCode, HaplaneError, Unreachable
from haplane.executor import Executor
from haplane.observation.candidates import candidates
from haplane.observation.observe import observe
from haplane.recovery.places import (
    REMEDY,
    bucket_of,
    catalog_of,
    refuse_key_not_in,
    required_signing_keys,
    settings_of,
)
from haplane.snapshots.catalog import read_catalog
from haplane.snapshots.entries import CatalogEntry, Standard
from haplane.snapshots.places import Bucket
from haplane.workflows.prepare import over_ssh

TAKE_SECONDS = 3600
SHARED = "signed with a shared key"
"""Kept as one history: in older versions every member could sign as any other."""

ABANDONED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Listing:
    """Newest first. ``unread``: places that could not be read, and why; ``hidden``: how many unusable ones are not
    among ``snapshots``.
    """

    snapshots: tuple[CatalogEntry, ...]
    unread: Mapping[str, str]
    hidden: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """6 when a place could not be read."""
        return ExitCode.INCOMPLETE if self.unread else ExitCode.DONE


@dataclass(frozen=True)
class Pruning:
    """What is removed from the bucket: what the retention does not keep, and uploads not completed within a day.

    ``left_alone``: what is not a usable snapshot of this cluster, and why. ``unsigned``: what no key of the cluster
    signed, which is removed only when asked for. ``members``: for each history, how many are kept and removed.
    ``unlisted``: why a part of the bucket was not read. ``refused``: what the bucket would not remove, and why.
    """

    kept: tuple[str, ...]
    removable: tuple[str, ...]
    abandoned: tuple[str, ...]
    left_alone: dict[str, str] = field(default_factory=dict)
    unsigned: dict[str, str] = field(default_factory=dict)
    members: dict[str, dict[str, int]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    unlisted: str | None = None

    @property
    def removes_most(self) -> bool:
        """Whether more snapshots are removed than kept."""
        return len(self.removable) > len(self.kept)

    @property
    def exit_code(self) -> ExitCode:
        """6 when something was not removed."""
        return ExitCode.INCOMPLETE if self.refused else ExitCode.DONE


def take(inventory: Inventory, progress: Progress, *, executor: Executor | None = None) -> Manifest:
    """Take a snapshot now on a healthy member, preferably not the leader. Raises Unreachable when there is none."""
    settings_of(inventory)
    context = Context(Request(inventory), executor or over_ssh(progress))
    observe(context)
    names = eligible(candidates(inventory, context.observation))
    if not names:
        raise Unreachable(
            "no member can take a snapshot now",
            where=", ".join(host.name for host in inventory.etcd),
            why="none of them both reads through quorum and has the snapshot agent",
            next_step=f"`haplane status {inventory.path}`",
        )
    member = inventory.host(names[0])
    progress(member.name, "taking a snapshot")
    reported = context.executor.call_agent(member, "take", TAKE_SECONDS)
    return Manifest.from_bytes(json.dumps(reported).encode(), f"{member.name}: snapshot agent, take")


def list_snapshots(
    inventory: Inventory, progress: Progress, *, most: int | None = None, executor: Executor | None = None
) -> Listing:
    """The ``most`` newest usable ones and as many others, or all. Raises Unreachable when no place responds."""
    catalog = catalog_of(inventory, executor or over_ssh(progress), most=most)
    usable = [one for one in catalog.entries if one.usable][:most]
    others = [one for one in catalog.entries if not one.usable]
    shown = sorted([*usable, *others[:most]], key=lambda one: one.id, reverse=True)
    return Listing(tuple(shown), catalog.unread, max(0, len(others) - most) if most is not None else 0)


def plan_pruning(inventory: Inventory, progress: Progress, *, executor: Executor | None = None) -> Pruning:
    """What the bucket's retention removes: only what this cluster signed, or did not finish uploading."""
    executor = executor or over_ssh(progress)
    settings, store, now = settings_of(inventory), bucket_of(inventory), executor.now()
    keys = required_signing_keys(inventory, executor)
    refuse_key_not_in(keys, inventory, executor)
    standard = Standard(keys, inventory.cluster.name, now)
    progress("bucket", "reading manifests")
    listed = {one.id: one for one in store.snapshots()}
    unfinished = [each for each, one in listed.items() if not one.complete]
    catalog = read_catalog([Bucket(store)], standard, remedy=REMEDY)
    unsigned = {one.id: one.problem or "it is not signed" for one in catalog.entries if one.unsigned}
    signed = [one for one in catalog.entries if one.id not in unsigned and one.id not in unfinished]
    usable, left_alone = _usable(signed, listed)
    verdict = retention.keep(usable, keep_policy(settings.keep_remote))
    kept, removed = retention.by_signer(verdict.kept), retention.by_signer(verdict.removable)
    return Pruning(
        kept=tuple(taken.id for taken in verdict.kept),
        removable=tuple(taken.id for taken in verdict.removable),
        abandoned=tuple(sorted(each for each in unfinished if is_abandoned(each, now))),
        left_alone=left_alone,
        unsigned=unsigned,
        unlisted=store.unlisted,
        members={name: {"kept": kept.get(name, 0), "removed": removed.get(name, 0)} for name in {**kept, **removed}},
    )


def _usable(
    entries: Sequence[CatalogEntry], listed: Mapping[str, ListedSnapshot]
) -> tuple[list[Taken], dict[str, str]]:
    """What retention may count, and why it may not count the others: a manifest alone restores nothing."""
    usable, left_alone = [], {}
    for one in entries:
        if not one.usable or one.manifest is None:
            left_alone[one.id] = one.problem or "it is not signed"
            continue
        if one.id not in listed:  # it came while the bucket was read: the next run counts it
            continue
        size = listed[one.id].parts.get(PAYLOAD)
        if size != one.manifest.payload_bytes:
            there = f"has {size} bytes" if size is not None else "is missing"
            left_alone[one.id] = f"its {PAYLOAD} {there}, {one.manifest.payload_bytes} were signed"
            continue
        usable.append(replace(one.manifest.taken, signer=_history(one.manifest)))
    return usable, left_alone


def _history(manifest: Manifest) -> str:
    """A member that is no more keeps its own: its key is certified still, and displaces nobody else's."""
    return SHARED if manifest.signer is None else manifest.member


def prune(inventory: Inventory, pruning: Pruning, progress: Progress, *, unsigned: bool = False) -> Pruning:
    """Remove what was planned, and the ``unsigned`` ones if so. Interrupted, a second run removes the rest.

    What is locked does not keep the others. Raises the bucket's error when it removes nothing or stops responding.
    """
    store = bucket_of(inventory)
    due = pruning.removable + pruning.abandoned + (tuple(pruning.unsigned) if unsigned else ())
    refused: dict[str, HaplaneError] = {}
    for count, each in enumerate(due):
        progress("bucket", f"removing {each}", count / len(due))
        try:
            store.delete(each)
        except (Unreachable, DeadlinePassed):
            raise
        except HaplaneError as error:
            refused[each] = error
    if refused and len(refused) == len(due):
        raise next(iter(refused.values()))
    reasons = {each: error.brief for each, error in refused.items()}
    return replace(pruning, removed=tuple(each for each in due if each not in refused), refused=reasons)


def is_abandoned(snapshot: str, now: datetime) -> bool:
    """Whether its upload cannot be running any more: it began over a day ago, or is dated over a day ahead."""
    return abs(now - SnapshotId.parse(snapshot).taken_at) > ABANDONED_AFTER
