"""Where the data to restore may come from: a file, a stored snapshot, or what members still hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from haplane.agent.manifest import MANIFEST
from haplane.domain.assessment import Assessment, Candidate, RecoveryAction, loss
from haplane.errors import HaplaneError, Refused
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.context import RestoreContext, names
from haplane.recovery.database import Database, take_in
from haplane.recovery.opening import open_and_verify, refuse_unreadable
from haplane.recovery.places import catalog_of, copied_snapshot, required_signing_keys
from haplane.recovery.same_cluster import refuse_other_cluster, reported_mark
from haplane.recovery.survivors import save_survivor
from haplane.snapshots.catalog import SnapshotCatalog, StoredSnapshot


class Origin(Enum):
    """Where data comes from."""

    STORED = "stored"
    MEMBER = "member"
    FILE = "file"


@dataclass(frozen=True)
class Source:
    """A verified database and where it is from, with the keys that were sealed beside it.

    ``signed``: a signature of the cluster over it was verified. ``known`` are revisions that the cluster is known to
    have reached. ``taken_at`` of a bare file is its modification time.
    """

    name: str
    database: Database
    taken_at: datetime
    signed: bool
    known: tuple[int, ...] = ()
    identity: ClusterIdentity | None = None
    origin: Origin = Origin.STORED

    def age_seconds(self, now: datetime) -> float:
        """How long ago it was taken; 0 for what a member still holds."""
        return 0.0 if self.origin is Origin.MEMBER else max(1.0, (now - self.taken_at).total_seconds())


def find_source(context: RestoreContext, assessment: Assessment) -> Source:
    """The requested one, or the newest of what members hold and what is stored.

    Raises Refused when there is none, or when it is older than what a member holds.
    """
    request = context.request
    if request.file is not None:
        return _unless_a_member_has_more(context, assessment, _from_file(context, request.file))
    surviving = assessment.action is not RecoveryAction.REBUILD and request.snapshot is None
    survivors = _survivors(context) if surviving else []
    best = max(survivors, key=lambda source: source.database.revision, default=None)
    catalog = _catalog(context)
    if best is not None and not any(one.manifest.revision > best.database.revision for one in catalog.usable):
        return replace(best, known=_all_revisions(catalog))
    if not catalog.usable and request.snapshot is None:
        missed = "".join(f"; {name}: {why}" for name, why in catalog.unread.items())
        raise Refused(
            "there is nothing to restore from",
            why=f"{assessment.reason}; the inventory's places hold no snapshot, and no file was given{missed}",
            next_step="name one with --snapshot, or give an etcd snapshot with --file",
        )
    try:
        stored = _from_catalog(context, catalog)
    except Refused as error:
        if best is None:
            raise
        return _what_a_member_holds(context, replace(best, known=_all_revisions(catalog)), error)
    return _unless_a_member_has_more(context, assessment, stored)


def _what_a_member_holds(context: RestoreContext, best: Source, unusable: Refused) -> Source:
    """In place of a newer snapshot that cannot be used: one member can sign such a one. Raises Refused without
    --accept-loss.
    """
    if not context.request.accept_loss:
        held = f"add --accept-loss to restore what {best.name} still holds"
        steps = "; or: ".join(step for step in (unusable.next_step, held) if step)
        raise Refused(unusable.what, where=unusable.where, why=unusable.why, next_step=steps) from None
    context.progress(unusable.where or "snapshots", f"newer, and not used: {unusable.what}")
    return best


def newest_stored(context: RestoreContext) -> Source:
    """The requested snapshot, or the newest. Raises Refused, naming the next older one, when it is not usable."""
    return _from_catalog(context, _catalog(context))


def _catalog(context: RestoreContext) -> SnapshotCatalog:
    if context.inventory.cluster.snapshots is None:
        return SnapshotCatalog((), {}, context.now)
    required_signing_keys(context.inventory, context.executor)
    remedy = "check the credentials for the bucket, or give a copied snapshot with --file"
    request = context.request
    return catalog_of(
        context.inventory, context.executor, remedy=remedy, without=request.without, named=request.snapshot
    )


def _all_revisions(catalog: SnapshotCatalog) -> tuple[int, ...]:
    return tuple(one.manifest.revision for one in catalog.usable)


def _from_catalog(context: RestoreContext, catalog: SnapshotCatalog) -> Source:
    stored = catalog.choose(context.request.snapshot)
    refuse_unreadable(context.inventory, stored, accept_old=context.request.accept_loss)
    for name, problem in catalog.problems.items():
        context.progress(name, problem)
    try:
        return replace(_opened(context, stored, signed=True), known=_all_revisions(catalog))
    except Refused as error:
        older = catalog.older(stored.manifest)
        if older is None:
            raise
        raise Refused(
            error.what,
            where=error.where,
            why=error.why,
            next_step=f"the next older verified snapshot: --snapshot {older.manifest.id}",
        ) from None


def _opened(context: RestoreContext, stored: StoredSnapshot, *, signed: bool) -> Source:
    opened = open_and_verify(stored, context.request.identity, context.tools, context.progress)
    return Source(
        name=f"snapshot {stored.manifest.id}",
        database=opened.database,
        taken_at=stored.manifest.taken_at,
        signed=signed,
        identity=opened.identity,
    )


def _unless_a_member_has_more(context: RestoreContext, assessment: Assessment, chosen: Source) -> Source:
    """Raises Refused when the choice loses what a member still holds, unless --accept-loss was given."""
    if context.request.accept_loss or assessment.action is not RecoveryAction.SURVIVOR:
        return chosen
    best = max(_survivors(context), key=lambda source: source.database.revision, default=None)
    if best is None or best.database.revision <= chosen.database.revision:
        return chosen
    candidate = Candidate(chosen.name, chosen.database.revision, chosen.age_seconds(context.now))
    raise Refused(
        f"{best.name} still holds newer data; nothing was changed",
        where=assessment.reason,
        why=loss(candidate, best.database.revision),
        next_step=f"restore the member's data: `haplane restore {context.inventory.path}`; or add --accept-loss",
    )


def _from_file(context: RestoreContext, file: Path) -> Source:
    request = context.request
    if (file / MANIFEST).exists():
        stored = copied_snapshot(file, context.inventory, context.executor, unsigned=request.unsigned)
        refuse_unreadable(context.inventory, stored, accept_old=context.request.accept_loss)
        return replace(_opened(context, stored, signed=not request.unsigned), origin=Origin.FILE)
    if not request.unsigned:
        raise Refused(
            "a bare file carries no signature: nothing proves who made it",
            where=f"--file {file}",
            next_step="if you know where it is from, add --unsigned",
        )
    context.progress(str(file), "restoring it on a scratch etcd here")
    database = take_in(file, context.tools)
    taken_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return Source(f"file {file}", database, taken_at, signed=False, origin=Origin.FILE)


def _survivors(context: RestoreContext) -> list[Source]:
    """What members hold of this cluster: data that cannot be used, or is another's, must not hide the others'."""
    found = []
    mark = reported_mark(context.observation, names(context.inventory.masters))
    for host in context.reachable(context.members):
        report = context.report(host)
        if not report.etcd.has_data or host.name in context.request.without:
            continue
        context.progress(host.name, "saving the data it still holds")
        try:
            database = save_survivor(host, context.executor, context.tools, runs=report.etcd.status is not None)
            refuse_other_cluster(f"member {host.name}", database, None, mark)
        except HaplaneError as error:
            context.progress(host.name, f"its data cannot be used: {error.why or error.what}")
            continue
        found.append(Source(f"member {host.name}", database, context.now, signed=False, origin=Origin.MEMBER))
    return _of_one_cluster(found)


def _of_one_cluster(found: list[Source]) -> list[Source]:
    """Those of the cluster of which more than half are. Raises Refused where members' data are of several.

    Where a majority of the masters reports which cluster it is, all of them are of that one already.
    """
    of = Counter(_cluster_of(source.database) for source in found)
    for cluster, votes in of.most_common(1):
        if 2 * votes > len(found):
            return [source for source in found if _cluster_of(source.database) == cluster]
        raise Refused(
            "members hold data of different clusters; nothing was changed",
            where=", ".join(source.name for source in found),
            why="; ".join(f"{source.name}: UID {source.database.uid}" for source in found),
            next_step="leave out those that are not of this cluster: --without HOST",
        )
    return []


def _cluster_of(database: Database) -> tuple[str, bytes | None]:
    return database.uid, database.ca
