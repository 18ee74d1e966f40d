"""The snapshot catalog: the one list that is shown, verified, restored from and pruned by."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from haplane.agent.manifest import Manifest, SnapshotId, is_snapshot_id
from haplane.domain.history import latest, why_not_yet
from haplane.errors import BadInput, HaplaneError, Refused, Unreachable
from haplane.snapshots.entries import CatalogEntry, Copies, Copy, Standard, assess_copies, read_signed
from haplane.snapshots.places import Bucket, Place
from haplane.threads import Threads

LATEST = "latest"
PROBLEMS_SHOWN = 5
MOST_IDS = 20_000
"""Of one place: one an hour for two years."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class StoredSnapshot:
    """A snapshot that the cluster signed, and where copies of it are."""

    manifest: Manifest
    places: tuple[Place, ...]


@dataclass(frozen=True)
class SnapshotCatalog:
    """Every snapshot that was found, the newest first. ``unread``: places that could not be read, and why."""

    entries: tuple[CatalogEntry, ...]
    unread: Mapping[str, str]
    read_at: datetime
    usable: tuple[StoredSnapshot, ...] = field(init=False)
    """Those that can be restored, the highest revision first."""

    def __post_init__(self) -> None:
        stored = [StoredSnapshot(one.manifest, one.signed_in) for one in self.entries if one.usable and one.manifest]
        object.__setattr__(self, "usable", tuple(sorted(stored, key=_rank, reverse=True)))

    @property
    def problems(self) -> dict[str, str]:
        """By place or id, why something could not be read or is not usable."""
        return {**self.unread, **{one.id: one.problem for one in self.entries if one.problem is not None}}

    def entry(self, snapshot: str) -> CatalogEntry | None:
        """What is known of the snapshot of that id."""
        return next((one for one in self.entries if one.id == snapshot), None)

    def choose(self, wanted: str | None) -> StoredSnapshot:
        """The one of that id; without one, or for ``latest``, the latest that was taken with quorum.

        Raises BadInput when there is none, naming others, and Refused for one that is not usable.
        """
        if wanted in (None, LATEST):
            chosen = self._latest(self.usable)
        else:
            chosen = next((one for one in self.usable if one.manifest.id == wanted), None)
            self._refuse_unusable(wanted)
        if chosen is not None:
            return chosen
        problems = [f"{name}: {why}" for name, why in self.problems.items()]
        raise BadInput(
            "there is no verified snapshot" if wanted in (None, LATEST) else "there is no such snapshot",
            where=wanted,
            why="; ".join(problems[:PROBLEMS_SHOWN]) or None,
            next_step=f"usable snapshots: {', '.join(one.manifest.id for one in self.usable[:3]) or 'none'}",
        )

    def _refuse_unusable(self, wanted: str | None) -> None:
        entry = self.entry(wanted) if wanted else None
        if entry is not None and not entry.usable:
            raise Refused(
                "this snapshot cannot be restored",
                where=wanted,
                why=entry.refused or entry.problem,
                next_step="choose another one (`haplane snapshot list`); to use it anyway, copy its directory here "
                "and give it as `--file DIRECTORY --unsigned`",
            )

    def older(self, than: Manifest) -> StoredSnapshot | None:
        """The next older one that was taken with quorum."""
        rank = (than.revision, than.taken_at)
        return self._latest([one for one in self.usable if _rank(one) < rank])

    def _latest(self, snapshots: Sequence[StoredSnapshot]) -> StoredSnapshot | None:
        chosen = latest([one.manifest for one in snapshots if one.manifest.with_quorum], self.read_at)
        return next((one for one in snapshots if one.manifest is chosen), None)


def _rank(snapshot: StoredSnapshot) -> tuple[int, datetime]:
    return snapshot.manifest.revision, snapshot.manifest.taken_at


def read_catalog(
    places: Sequence[Place],
    standard: Standard,
    *,
    remedy: str,
    most: int | None = None,
    only: str | None = None,
    named: str | None = None,
) -> SnapshotCatalog:
    """Read every manifest in ``places`` and check it against ``standard``.

    ``only`` reads that snapshot alone; ``most`` stops once so many verified ones were found. Whatever else a place
    holds, the one that is ``named`` is read. Raises Unreachable, with ``remedy`` as the next step, when no place
    responds.
    """
    ids, unread = _ids_in(places, standard.now, named=only or named, remedy=remedy)
    asked = [place for place in places if place.name in ids]
    every = {each for found in ids.values() for each in found}
    ordered = sorted(every & {only} if only else every, reverse=True)
    read: dict[str, dict[str, Copy]] = {place.name: {} for place in asked}
    entries: tuple[CatalogEntry, ...] = ()
    failed: dict[str, str] = {}
    for start, end in _batches(len(ordered), most):
        batch = ordered[start:end]
        found, failed_now = _ask_all(asked, partial(_read_of, ids=ids, batch=batch, standard=standard))
        failed |= failed_now
        for name, some in found.items():
            read[name] |= some
        asked_of = set(ordered[:end])
        complete = {
            name: {each: whole for each, whole in some.items() if each in asked_of}
            for name, some in ids.items()
            if name not in failed
        }
        entries = assess_copies(Copies(asked, complete, read), standard)
        if most is not None and sum(one.verified for one in entries) >= most:
            break
    return SnapshotCatalog(entries, unread | failed, standard.now)


def _batches(count: int, most: int | None) -> Iterator[tuple[int, int]]:
    """All at once, or as many as are wanted first and then twice as many each time, to be past a flood soon."""
    start, size = 0, most or max(1, count)
    while start < count:
        yield start, start + size
        start, size = start + size, 2 * size


def _read_of(
    place: Place, ids: Mapping[str, Mapping[str, bool]], batch: Sequence[str], standard: Standard
) -> dict[str, Copy]:
    return read_signed(place, [one for one in batch if ids[place.name].get(one)], standard)


def _ids_in(
    places: Sequence[Place], now: datetime, *, named: str | None, remedy: str
) -> tuple[dict[str, dict[str, bool]], dict[str, str]]:
    """The newest ids in each place that responds, the ``named`` one among them, and why the others cannot be read."""
    ids, unread = _ask_all(places, lambda place: dict(place.ids()))
    for name, some in ids.items():
        if len(some) > MOST_IDS:
            dated = sorted((each for each in some if not _is_to_come(each, now)), reverse=True)
            ids[name] = {each: some[each] for each in (*dated[:MOST_IDS], named) if each in some}
            unread[name] = f"it has {len(some)} snapshots, of which the newest {MOST_IDS} were read"
    for place in places:
        if isinstance(place, Bucket) and place.store.unlisted is not None:
            unread[place.name] = f"only a part of it was listed: {place.store.unlisted}"
            if place.name in ids and named and _is_in(place, named):
                ids[place.name][named] = True
    if not ids:
        raise Unreachable(
            "neither a member nor the bucket responds",
            why="; ".join(f"{name}: {why.removeprefix(f'{name} ')}" for name, why in unread.items()),
            next_step=remedy,
        )
    return ids, unread


def _is_to_come(snapshot: str, now: datetime) -> bool:
    """Whether its id is of no time that there has been."""
    return not is_snapshot_id(snapshot) or why_not_yet(SnapshotId.parse(snapshot).taken_at, now) is not None


def _is_in(place: Place, named: str) -> bool:
    """Whether a place has a manifest of that id, listed or not."""
    if is_snapshot_id(named):
        with contextlib.suppress(HaplaneError):
            return named in place.signed([named])
    return False


def _ask_all(
    places: Sequence[Place], question: Callable[[Place], Answer]
) -> tuple[dict[str, Answer], dict[str, str]]:
    """All places at once: the answers by place, and why the others gave none."""
    answers, failed = {}, {}
    with Threads(len(places)) as pool:
        for place, future in [(place, pool.submit(question, place)) for place in places]:
            try:
                answers[place.name] = future.result()
            except HaplaneError as error:
                failed[place.name] = error.brief
    return answers, failed
