"""Where the data to restore may come from: a file, what is stored, or what members still hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from haplane.domain.recovery import Candidate, Cure, Judgement, loss
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.phases.phase import Run
from haplane.phases.stored_snapshots import Shelf, Stored, copied_snapshot, open_stored, shelf_of
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.snapshots.manifest import MANIFEST
from haplane.sources.database import Database, take_in
from haplane.sources.survivors import save_survivor
from haplane.sources.tools import Tools


@dataclass(frozen=True)
class Wish:
    """What the user asked for. ``without`` names hosts to leave out."""

    snapshot: str | None = None
    file: Path | None = None
    identity: Path | None = None
    pki: Path | None = None
    unsigned: bool = False
    without: tuple[str, ...] = ()
    accept_loss: bool = False


@dataclass(frozen=True)
class Source:
    """A database and where it is from, with the keys that were sealed beside it.

    ``known`` are revisions that the cluster is known to have reached.
    """

    name: str
    database: Database
    taken_at: datetime
    signed: bool
    known: tuple[int, ...] = ()
    identity: ClusterIdentity | None = None


def find_source(run: Run, wish: Wish, tools: Tools, judgement: Judgement) -> Source:
    """The one that was asked for, or the newest of what members hold and what is stored.

    Raises Refused when there is none, or when it is older than what a member holds.
    """
    if wish.file is not None:
        chosen = _from_file(run, wish, tools, wish.file)
        return chosen if wish.accept_loss else _unless_a_member_has_more(run, wish, tools, judgement, chosen)
    survivors = _survivors(run, wish, tools) if judgement.cure is not Cure.REBUILD and not wish.snapshot else []
    best = max(survivors, key=lambda source: source.database.revision, default=None)
    shelf = shelf_of(run.inventory, run.progress) if run.inventory.cluster.snapshots is not None else Shelf((), {})
    if best is not None and not any(one.manifest.revision > best.database.revision for one in shelf.snapshots):
        return replace(best, known=_all_revisions(shelf))
    if not shelf.snapshots and wish.snapshot is None:
        raise Refused(
            "there is nothing to restore from",
            why=f"{judgement.arithmetic}; no snapshot is stored where the inventory says, and no file was given",
            next_step="give an etcd snapshot with --file",
        )
    chosen = from_shelf(run, wish, tools, shelf)
    return chosen if wish.accept_loss else _unless_a_member_has_more(run, wish, tools, judgement, chosen)


def _all_revisions(shelf: Shelf) -> tuple[int, ...]:
    return tuple(one.manifest.revision for one in shelf.snapshots)


def from_shelf(run: Run, wish: Wish, tools: Tools, shelf: Shelf) -> Source:
    """The stored snapshot that was asked for, or the newest. Raises Refused, naming the next older one, if unfit."""
    stored = shelf.choose(wish.snapshot)
    for place, doubt in shelf.doubts.items():
        run.progress(place, doubt)
    try:
        return replace(_opened(run, wish, tools, stored), known=_all_revisions(shelf))
    except Refused as error:
        older = shelf.older(stored.manifest)
        if older is None:
            raise
        raise Refused(
            error.what,
            where=error.where,
            why=error.why,
            next_step=f"the next older good one: --snapshot {older.manifest.id}",
        ) from None


def _opened(run: Run, wish: Wish, tools: Tools, stored: Stored) -> Source:
    opened = open_stored(stored, wish.identity, tools, run.manifest.etcd_version, run.progress)
    return Source(
        name=f"snapshot {stored.manifest.id}",
        database=opened.database,
        taken_at=stored.manifest.taken_at,
        signed=not wish.unsigned,
        identity=opened.identity,
    )


def _unless_a_member_has_more(run: Run, wish: Wish, tools: Tools, judgement: Judgement, chosen: Source) -> Source:
    """Raises Refused when the choice loses what a member still holds."""
    if judgement.cure is not Cure.SURVIVOR:
        return chosen
    survivors = _survivors(run, wish, tools)
    best = max(survivors, key=lambda source: source.database.revision, default=None)
    if best is None or best.database.revision <= chosen.database.revision:
        return chosen
    age = (run.now() - chosen.taken_at).total_seconds()
    raise Refused(
        f"{best.name} still holds newer data; nothing was changed",
        where=judgement.arithmetic,
        why=loss(Candidate(chosen.name, chosen.database.revision, age), best.database.revision),
        next_step=f"restore what the member holds: `haplane restore {run.inventory.path}`; or add --accept-loss",
    )


def _from_file(run: Run, wish: Wish, tools: Tools, file: Path) -> Source:
    if not file.exists():
        raise BadInput("there is no such file or directory", where=f"--file {file}")
    if (file / MANIFEST).exists():
        return _opened(run, wish, tools, copied_snapshot(file, run.inventory, unsigned=wish.unsigned))
    if not wish.unsigned:
        raise Refused(
            "a bare file carries no signature: nothing says who made it",
            where=f"--file {file}",
            next_step="if you know where it is from, add --unsigned",
        )
    run.progress(str(file), "trying it out on a scratch etcd")
    database = take_in(file, tools, etcd_version=run.manifest.etcd_version)
    taken_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return Source(f"file {file}", database, taken_at, signed=False)


def _survivors(run: Run, wish: Wish, tools: Tools) -> list[Source]:
    found = []
    for host in run.reachable(run.inventory.etcd):
        report = run.report(host)
        if not report.etcd.has_data or host.name in wish.without:
            continue
        run.progress(host.name, "saving what it still holds")
        runs = report.etcd.status is not None
        try:
            database = save_survivor(host, tools, runs=runs, etcd_version=run.manifest.etcd_version)
        except HaplaneError as error:
            run.progress(host.name, f"its data cannot be used: {error.why or error.what}")
            continue
        found.append(Source(f"member {host.name}", database, run.now(), signed=True))
    return found
