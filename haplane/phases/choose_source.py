"""Which data is restored: the smallest cure first, and the source verified before anything stops."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from haplane.config.model import Host
from haplane.domain.agreement import foreign_etcd
from haplane.domain.recovery import Candidate, Cure, Judgement, bump, judge, keys_are_lost, loss, members_of
from haplane.domain.restoration import Journal
from haplane.errors import BadInput, HaplaneError, Refused, UnfitHosts, Unreachable
from haplane.phases.find_source import Source, Wish, find_source, from_shelf
from haplane.phases.observe import KUBERNETES_AUTHORITY, restore_under_way
from haplane.phases.phase import Restoration, Run
from haplane.phases.stored_snapshots import shelf_of
from haplane.pki.authority import certificate_fingerprint
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.pki.paths import ETCD_MEMBER_AUTHORITY
from haplane.remote.database import fetch_database
from haplane.sources.database import Database
from haplane.sources.keys import identity_from_directory
from haplane.sources.tools import Tools

ROOM = 64 << 20
"""Bytes that have to stay free beside etcd's data."""


@dataclass(frozen=True)
class Choice:
    """What will be done, and what that means, a line each."""

    restoration: Restoration
    lines: tuple[str, ...]


def choose_source(run: Run, wish: Wish, tools: Tools) -> Choice:
    """Raises Refused (with the arithmetic) when less than a restore would do or when the source is not fit,
    Unreachable when a host is missing that was not left out on purpose; nothing has been touched then.
    """
    _refuse_unknown_hosts(run, wish)
    journal = restore_under_way(run)
    if journal is not None and journal.stage != "preparing":
        return _complete(run, wish, tools, journal)
    judgement = judgement_of(run, wish)
    refuse_more_than_needed(run, wish, judgement)
    _refuse_missing_hosts(run, wish)
    source = find_source(run, wish, tools, judgement)
    source = _with_identity(run, wish, tools, source)
    refuse_foreign(run, source)
    _refuse_full_disks(run, wish, source.database)
    revisions = [*_revisions(run), *source.known]
    restored = source.database.revision
    journal = Journal(
        stamp=run.now().strftime("%Y%m%dT%H%M%SZ"),
        stage="preparing",
        source=source.name,
        database=source.database.sha256,
        revision=restored,
        bump=bump(restored, revisions),
        uid=source.database.uid,
    )
    sealed = source.identity.encryption_keys if source.identity else ()
    restoration = Restoration(journal, source.database, sealed, wish.without)
    return Choice(restoration, _meaning(run, source, journal, judgement, revisions))


def judgement_of(run: Run, wish: Wish) -> Judgement:
    """The smallest cure for what is left, hosts that are left out being lost."""
    reports = run.observation.reports
    keys_lost = keys_are_lost(_names(run.inventory.masters), reports, IDENTITY_PATHS, wish.without)
    return judge(members_of(_names(run.inventory.etcd), reports), keys_lost=keys_lost)


def _names(hosts: Sequence[Host]) -> list[str]:
    return [host.name for host in hosts]


def _refuse_unknown_hosts(run: Run, wish: Wish) -> None:
    known = {host.name for host in run.inventory.masters + run.inventory.etcd}
    if unknown := [name for name in wish.without if name not in known]:
        raise BadInput(
            f"{', '.join(unknown)}: no master or etcd machine of the inventory",
            where="--without",
            next_step=f"name some of {', '.join(sorted(known))}",
        )


def refuse_more_than_needed(run: Run, wish: Wish, judgement: Judgement) -> None:
    """Raises Refused while less than a restore brings the cluster back, unless the loss was accepted."""
    if not judgement.is_less_than_a_restore or wish.accept_loss:
        return
    if judgement.cure is Cure.REACH and set(judgement.members) <= set(wish.without):
        return
    highest = max(_revisions(run), default=None)
    raise Refused(
        "a restore would destroy what need not be lost; nothing was changed",
        where=judgement.arithmetic,
        why=f"the right cure is to {judgement.cure.value}; a restore forgets every write after its snapshot"
        + (f", the members are at revision {highest}" if highest else ""),
        next_step=f"{judgement.command(run.inventory.path)}; to go back in time on purpose: "
        "name the snapshot or file and add --accept-loss",
    )


def _refuse_missing_hosts(run: Run, wish: Wish) -> None:
    needed = run.inventory.masters + run.inventory.etcd
    lost = {host.name for host in needed if host.name in run.observation.unreachable} - set(wish.without)
    if lost:
        raise Unreachable(
            f"{', '.join(sorted(lost))} cannot be reached; nothing was changed",
            why="; ".join(f"{name}: {run.observation.unreachable[name]}" for name in sorted(lost)),
            next_step="switch them on, or leave them out on purpose: "
            + " ".join(f"--without {name}" for name in sorted(lost)),
        )


def _with_identity(run: Run, wish: Wish, tools: Tools, source: Source) -> Source:
    """The source, with the cluster's keys where no master holds them all: its own, or the newest snapshot's."""
    if not keys_are_lost(_names(run.inventory.masters), run.observation.reports, IDENTITY_PATHS, wish.without):
        return source
    if wish.pki is not None:
        run.identity = identity_from_directory(wish.pki)
    elif source.identity is not None:
        run.identity = source.identity
    elif run.inventory.cluster.snapshots is not None:
        run.identity = from_shelf(run, wish, tools, shelf_of(run.inventory, run.progress)).identity
    if run.identity is None:
        raise Refused(
            "no master holds the cluster's keys, and a database alone has none",
            why="without them no old kubeconfig, kubelet or pod would be recognised",
            next_step="give a copy of a master's /etc/kubernetes with --pki, or a snapshot that has the keys sealed",
        )
    _refuse_members_of_others(run, run.identity)
    return replace(source, identity=run.identity)


def _refuse_members_of_others(run: Run, identity: ClusterIdentity) -> None:
    """Raises UnfitHosts where members with data do not trust the authority whose keys are to come."""
    holding = {name: report for name, report in run.observation.reports.items() if report.etcd.has_data}
    digest = hashlib.sha256(identity.etcd.certificate).hexdigest()
    if foreign := foreign_etcd(digest, _names(run.inventory.etcd), holding, ETCD_MEMBER_AUTHORITY):
        raise UnfitHosts("these members' data are not of the cluster whose keys were given", foreign)


def refuse_foreign(run: Run, source: Source) -> None:
    """Raises Refused when the data is another cluster's: by its authority, and by its UID where that is known."""
    certificates = [run.report(host).certificates for host in run.reachable(run.inventory.masters)]
    pem = next((found[KUBERNETES_AUTHORITY] for found in certificates if KUBERNETES_AUTHORITY in found), None)
    ours = pem.encode() if pem else run.identity.kubernetes.certificate if run.identity else None
    theirs = source.database.authority
    theirs = theirs or (source.identity.kubernetes.certificate if source.identity else None)
    if ours and theirs and certificate_fingerprint(ours) != certificate_fingerprint(theirs):
        raise _foreign(source, "its pods trust another certificate authority than this cluster's")
    kubernetes = run.observation.kubernetes()
    if kubernetes and kubernetes.uid and kubernetes.uid != source.database.uid:
        raise _foreign(source, f"its UID is {source.database.uid}, this cluster's is {kubernetes.uid}")


def _foreign(source: Source, why: str) -> Refused:
    return Refused(
        "this is a snapshot of another cluster; nothing was changed",
        where=source.name,
        why=why,
        next_step="give one of this cluster's snapshots",
    )


def _refuse_full_disks(run: Run, wish: Wish, database: Database) -> None:
    needed = 2 * database.size + ROOM
    members = [host for host in run.reachable(run.inventory.etcd) if host.name not in wish.without]
    full = [host for host in members if run.report(host).remains.etcd_free_bytes < needed]
    if full:
        raise UnfitHosts(
            "etcd's disks have no room for the new data beside the old; nothing was changed",
            [
                HaplaneError(
                    f"{host.name} has {run.report(host).remains.etcd_free_bytes >> 20} MiB free, "
                    f"{needed >> 20} are needed",
                    where=f"{host.name}: /var/lib/etcd",
                    next_step="make room there; what earlier restores kept is in /var/lib/etcd/aside-*",
                )
                for host in full
            ],
        )


def _revisions(run: Run) -> list[int]:
    members = members_of(_names(run.inventory.etcd), run.observation.reports)
    return [member.revision for member in members if member.revision is not None]


def _meaning(
    run: Run, source: Source, journal: Journal, judgement: Judgement, revisions: Sequence[int]
) -> tuple[str, ...]:
    age = max(0.0, (run.now() - source.taken_at).total_seconds())
    candidate = Candidate(source.name, source.database.revision, 0.0 if source.signed else age)
    return (
        f"restore {loss(candidate, max(revisions, default=None))}",
        f"  {source.database.keys} keys, {source.database.size / (1 << 20):.0f} MiB, "
        f"{'signed' if source.signed else 'not signed'}, tried out on a scratch etcd, cluster {source.database.uid}",
        f"  because: {judgement.arithmetic}",
        "  the API is away while etcd's data is switched; pods go on running",
        f"  the old data is kept on each member in {journal.aside}",
    )


def _complete(run: Run, wish: Wish, tools: Tools, journal: Journal) -> Choice:
    """Carry an interrupted restore on: with the same data, and only where it is not there yet."""
    wished = f"file {wish.file}" if wish.file else f"snapshot {wish.snapshot}" if wish.snapshot else None
    if wished not in (None, "snapshot latest", journal.source):
        raise Refused(
            f"a restore of {journal.source} is under way",
            why="its data is already in place on some members",
            next_step=f"complete it first: `haplane restore {run.inventory.path}`",
        )
    _refuse_missing_hosts(run, wish)
    due = [
        host
        for host in run.reachable(run.inventory.etcd)
        if host.name not in journal.members and host.name not in wish.without
    ]
    database = _staged(run, tools, journal) if due else None
    lines = (
        f"complete the restore of {journal.source} that began at {journal.stamp}, from where it was interrupted",
    )
    return Choice(Restoration(journal, database, (), wish.without), lines)


def _staged(run: Run, tools: Tools, journal: Journal) -> Database:
    """The database, from a member that it was sent to."""
    target = tools.new_directory("staged") / "snapshot.db"
    reasons = []
    for host in run.reachable(run.inventory.etcd):
        try:
            fetch_database(host, f"{journal.staging}/snapshot.db", target, journal.database)
        except HaplaneError as error:
            reasons.append(f"{host.name}: {error.why}")
            continue
        size = target.stat().st_size
        return Database(target, journal.database, size, journal.revision, 0, 0, journal.uid, None)
    raise Refused(
        "no member holds the snapshot of the restore that is under way any more",
        why="; ".join(reasons),
        next_step=f"remove /var/lib/haplane/restore.json on every host and restore {journal.source} again",
    )
