"""Which data is restored: chosen, verified and checked against the cluster before anything stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haplane.domain import host_paths
from haplane.domain.assessment import REACHABLE, Assessment, Candidate, bump, credible, loss
from haplane.domain.restoration import Journal
from haplane.domain.timestamps import timestamp
from haplane.errors import HaplaneError, Refused
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.encryption import EncryptionKey
from haplane.recovery.candidates import Source, find_source
from haplane.recovery.cluster_keys import refuse_another_cluster, with_cluster_keys
from haplane.recovery.context import RestoreContext
from haplane.recovery.data_age import refuse_old, signature_of, when_taken
from haplane.recovery.database import Database
from haplane.recovery.preconditions import (
    assess_cluster,
    interrupted_restore,
    known_revisions,
    refuse_full_disks,
    refuse_left_out_that_serve,
    refuse_missing_hosts,
    refuse_more_than_needed,
)
from haplane.recovery.survivors import fetch_staged

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Restoration:
    """What ``haplane restore`` is about to do, or to complete.

    ``database`` is None where every member has its data already; ``encryption_keys`` are those sealed with it;
    ``without`` are the hosts that are left out.
    """

    journal: Journal
    database: Database | None
    encryption_keys: tuple[EncryptionKey, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What will be done, and what that means, in plan lines.

    ``identity``: the cluster's keys where no master holds them, None where one does.
    """

    restoration: Restoration
    lines: tuple[str, ...]
    identity: ClusterIdentity | None = None


def choose_source(context: RestoreContext) -> Choice:
    """Raises Refused when the cluster can be recovered with less or the source is not usable, Unreachable for hosts
    that are missing and were not left out. Nothing has been changed then.
    """
    journal = interrupted_restore(context)
    if journal is not None and journal.stage != "preparing":
        return _complete(context, journal)
    assessment = assess_cluster(context)
    refuse_more_than_needed(context, assessment)
    refuse_missing_hosts(context)
    refuse_left_out_that_serve(context)
    source = find_source(context, assessment)
    if context.keys_lost:
        source = with_cluster_keys(context, source)
    refuse_another_cluster(context, source)
    refuse_old(context, source)
    refuse_full_disks(context, source.database.size)
    revisions = _credible_revisions(context, source)
    journal = _new_journal(context, source.database, source.name, revisions)
    sealed = source.identity.encryption_keys if source.identity else ()
    return Choice(
        Restoration(journal, source.database, sealed, context.request.without),
        _meaning(context, source, journal, assessment, revisions),
        source.identity if context.keys_lost else None,
    )


def _credible_revisions(context: RestoreContext, source: Source) -> list[int]:
    """What the cluster has reached by all that is known. What is absurd is named, and ignored."""
    known = [*known_revisions(context), *source.known]
    found = credible(source.database.revision, known)
    if absurd := sorted(set(known) - set(found)):
        why = (
            f"a member or a snapshot claims it, and more than {REACHABLE} writes after {source.name} are not credible"
        )
        context.progress("etcd", f"revision {absurd[-1]} is ignored: {why}")
    return found


def _new_journal(context: RestoreContext, database: Database, name: str, revisions: Sequence[int]) -> Journal:
    return Journal(
        timestamp=timestamp(context.now),
        stage="preparing",
        source=name,
        database=database.sha256,
        revision=database.revision,
        bump=bump(database.revision, revisions),
        uid=database.uid,
    )


def _meaning(
    context: RestoreContext, source: Source, journal: Journal, assessment: Assessment, revisions: Sequence[int]
) -> tuple[str, ...]:
    candidate = Candidate(source.name, source.database.revision, source.age_seconds(context.now))
    return (
        f"restore {loss(candidate, max(revisions, default=None))}",
        f"  {source.database.keys} keys, {source.database.size / MEBIBYTE:.0f} MiB, "
        f"{signature_of(source)}, verified on a scratch etcd, cluster {source.database.uid}",
        *when_taken(context, source),
        f"  because: {assessment.reason}",
        "  the API is unavailable while etcd's data is replaced; pods keep running",
        f"  the previous data of each member moves to {journal.previous_data}",
    )


def _complete(context: RestoreContext, journal: Journal) -> Choice:
    """Complete an interrupted restore: with the same data, and only on members that do not have it yet."""
    request = context.request
    asked = f"file {request.file}" if request.file else f"snapshot {request.snapshot}" if request.snapshot else None
    if asked not in (None, "snapshot latest", journal.source):
        raise Refused(
            f"a restore of {journal.source} is under way",
            why="its data is already in place on some members",
            next_step=f"complete it first: `haplane restore {context.inventory.path}`",
        )
    refuse_missing_hosts(context)
    due = [
        host
        for host in context.reachable(context.inventory.etcd)
        if host.name not in journal.members and host.name not in request.without
    ]
    database = _staged(context, journal) if due else None
    lines = (f"complete the restore of {journal.source} that was interrupted; it began at {journal.timestamp}",)
    return Choice(Restoration(journal, database, (), request.without), lines)


def _staged(context: RestoreContext, journal: Journal) -> Database:
    """The database, from a member that it was sent to."""
    target = context.tools.new_directory("staged") / "snapshot.db"
    reasons = []
    for host in context.reachable(context.inventory.etcd):
        try:
            fetch_staged(host, context.executor, f"{journal.staging}/snapshot.db", target, journal.database)
        except HaplaneError as error:
            reasons.append(f"{host.name}: {error.why}")
            continue
        size = target.stat().st_size
        return Database(target, journal.database, size, journal.revision, 0, 0, journal.uid, None)
    raise Refused(
        "no member has the snapshot of the interrupted restore any more",
        why="; ".join(reasons),
        next_step=f"remove {host_paths.RESTORE_JOURNAL_JSON} on every host and restore {journal.source} again",
    )
