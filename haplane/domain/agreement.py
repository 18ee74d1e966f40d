"""Whether these hosts belong to one cluster, to none, or to several. Pure.

The invariant: an identity that any host may have served from is never replaced, and two are never mixed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum

from haplane.domain import host_paths
from haplane.domain.etcd_report import Etcd
from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError, Refused, UnfitHosts

KEYS_BACK = "`haplane restore INVENTORY` restores the keys from a snapshot and keeps the data"


class Origin(Enum):
    """Where the cluster's identity comes from."""

    NEW = "made now"
    MASTERS = "read back from the masters"


def origin_of_identity(
    masters: Sequence[str],
    reports: Mapping[str, HostReport],
    paths: Sequence[str],
    evidence: Sequence[str],
    *,
    given: bool = False,
) -> Origin:
    """``paths`` are the files of an identity, ``evidence`` those of a node that is part of some cluster.

    ``given``: the identity that etcd's data belong to is at hand, for masters that have lost it.

    Raises UnfitHosts naming each file that two masters hold differently and each host that another cluster has left
    its files on, and Refused when an identity that has been used is nowhere complete.
    """
    known = {name: reports[name] for name in masters if name in reports}
    if disagreements := _disagreements(paths, known):
        raise UnfitHosts("these masters belong to different clusters; nothing was changed", disagreements)
    held = {path for report in known.values() for path in paths if path in report.files}
    if held == set(paths):
        return Origin.MASTERS
    used = [name for name, report in reports.items() if report.etcd.bootstrapped or report.etcd.has_data]
    if used and not given:
        raise Refused(
            "no reachable master holds all of the cluster's keys, but etcd has data",
            where=f"etcd data on {', '.join(used)}",
            why=f"missing everywhere: {', '.join(sorted(set(paths) - held)[:3])}",
            next_step=f"power on a master that has them; if all are lost, {KEYS_BACK}",
        )
    if remains := [error for name, report in reports.items() if (error := _remains(name, report, evidence))]:
        raise UnfitHosts("these hosts hold files of another cluster; nothing was changed", remains)
    return Origin.NEW


def _remains(name: str, report: HostReport, evidence: Sequence[str]) -> HaplaneError | None:
    """Haplane writes these files only after a whole identity is on every master, so they are somebody else's."""
    found = [path for path in evidence if path in report.files]
    if not found:
        return None
    return HaplaneError(
        f"{name} holds files of another cluster",
        where=f"{name}: {', '.join(found[:3])}",
        why="no master of this inventory has the CA that issued them",
        next_step=f"if that cluster is no longer needed: `haplane reset INVENTORY {name}`",
    )


def _disagreements(paths: Sequence[str], reports: Mapping[str, HostReport]) -> list[HaplaneError]:
    """One error for all files over which the same masters differ in the same way.

    Several files at once are another cluster's identity; the key or certificate that differs alone was replaced.
    """
    by_sides: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for path in paths:
        holders: dict[str, list[str]] = {}
        for name, report in reports.items():
            if path in report.files:
                holders.setdefault(report.files[path].sha256, []).append(name)
        if len(holders) > 1:
            sides = tuple(sorted((tuple(names) for names in holders.values()), key=len, reverse=True))
            by_sides.setdefault(sides, []).append(path)
    return [_disagreement(sides, differing, among=len(paths)) for sides, differing in by_sides.items()]


def _disagreement(sides: tuple[tuple[str, ...], ...], differing: Sequence[str], among: int) -> HaplaneError:
    reported = " / ".join(", ".join(names) for names in sides)
    minority = sides[-1]
    which = ", ".join(minority) if len(minority) < len(sides[0]) else "HOST"
    if 2 * len(differing) <= among:
        return HaplaneError(
            f"{', '.join(differing)} differ{'s' if len(differing) == 1 else ''} between masters of one cluster",
            where=reported,
            why="all other keys are the same, so these were replaced by hand on one side",
            next_step=f"copy the files from the serving masters to {which} (mode 0600), then run `up` again",
        )
    return HaplaneError(
        f"{reported}: installed as different clusters",
        where=f"{len(differing)} of {among} key files differ, {differing[0]} first",
        why="they were installed as, or restored from, different clusters",
        next_step=f"reset the hosts that do not belong here: `haplane reset INVENTORY {which}`, then run `up` again",
    )


def moved_hosts(
    addresses: Mapping[str, str], reports: Mapping[str, HostReport], evidence: Sequence[str]
) -> list[HaplaneError]:
    """Masters that were set up under another name, or at another address: ``addresses`` are by name what is wanted.

    A member votes under its name and is dialled at its address: neither follows the inventory by being written anew.
    """
    found = []
    been_through = [name for name in addresses if name in reports and set(evidence) & set(reports[name].files)]
    for name in been_through:
        known = reports[name].settings.get("name", name)
        address = reports[name].settings.get("address", addresses[name])
        if known != name:
            found.append(
                HaplaneError(
                    f"{name} is the host that was installed as {known}",
                    where=f"{name}: {addresses[name]}",
                    why="two addresses in the inventory are swapped, or a host was renamed: a master keeps its name",
                    next_step=f"name it {known} in the inventory, or reset it: `haplane reset INVENTORY {name}`",
                )
            )
        elif address != addresses[name]:
            found.append(
                HaplaneError(
                    f"{name} was installed at {address}, but the inventory has {addresses[name]}",
                    where=f"{name}: address",
                    why="etcd's other members and the API server's certificate know it by the old address",
                    next_step=f"restore the address {address}, or reset the host and rejoin it: "
                    f"`haplane reset INVENTORY {name}`, `haplane node repair INVENTORY {name}`",
                )
            )
    return found


def stale_members(members: Sequence[str], reports: Mapping[str, HostReport]) -> dict[str, int]:
    """Members that run, or hold the data of, another cluster than most running members, or else most, are of.

    Each with the ID that the others have. Empty where neither shows which cluster is this one.
    """
    known = {name: reports[name].etcd for name in members if name in reports}
    clusters = {name: _clusters(etcd) for name, etcd in known.items()}
    serving = [name for name, etcd in known.items() if etcd.status is not None and etcd.reads_through_quorum]
    running = [clusters[name][0] for name in serving if clusters[name]]
    ours = _most_common(running) or _most_common([ids[0] for ids in clusters.values() if ids])
    return {} if ours is None else {name: ours for name, ids in clusters.items() if set(ids) - {ours}}


def other_cluster(etcd: Etcd, ours: int) -> int:
    """The ID of the cluster that a stale member runs, or holds the data of."""
    return next(one for one in _clusters(etcd) if one != ours)


def may_be_one_cluster(one: Etcd, other: Etcd) -> bool:
    """Whether nothing is known that tells two members' clusters apart."""
    return len({*_clusters(one), *_clusters(other)}) <= 1


def _clusters(etcd: Etcd) -> list[int]:
    """The IDs of the cluster that runs there and of the one whose data is on the disk, as far as they are known."""
    running = etcd.status.header.cluster_id if etcd.status else None
    return [one for one in (running, etcd.data_cluster_id) if one]


def _most_common(ids: Sequence[int]) -> int | None:
    """None where there is none, or two are as common."""
    counted = Counter(ids).most_common(2)
    return None if not counted or [votes for _, votes in counted[1:]] == [counted[0][1]] else counted[0][0]


def stale_etcd(
    members: Sequence[str], reports: Mapping[str, HostReport], repaired: str | None = None
) -> list[HaplaneError]:
    """Why members with data of another cluster are refused, but for the one whose data may go."""
    return [
        HaplaneError(
            f"{name} holds etcd data of another cluster",
            where=f"{name}: {host_paths.ETCD_DATA} is of cluster {other_cluster(reports[name].etcd, ours):x}, "
            f"the other members' of {ours:x}",
            why="it was off while the cluster was restored or recreated, or its disk comes from another host",
            next_step=f"if that data can be discarded: `haplane node repair INVENTORY {name}`",
        )
        for name, ours in stale_members(members, reports).items()
        if name != repaired
    ]


def changed_settings(
    wanted: Mapping[str, str], masters: Sequence[str], reports: Mapping[str, HostReport], evidence: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """By master, where the inventory wants another value than the cluster was made with, both values said.

    A master without a configuration has no say. Of one without any of ``evidence`` nothing has been made yet: it may
    be written anew.
    """
    been_through = {
        name: reports[name].settings
        for name in masters
        if name in reports and reports[name].settings and any(path in reports[name].files for path in evidence)
    }
    return {
        master: tuple(
            f"{name} of the cluster is {settings[name]}, the inventory has {value}"
            for name, value in wanted.items()
            if settings.get(name, value) != value
        )
        for master, settings in been_through.items()
    }


def etcd_of_another_cluster(
    ca_digest: str | None, members: Sequence[str], reports: Mapping[str, HostReport], path: str
) -> list[HaplaneError]:
    """Members whose etcd CA is not this cluster's: another cluster's remains.

    Before there is an identity (``ca_digest`` is None) only a member with data is one: a CA without data
    is what an interrupted first run leaves.
    """
    others = [
        name
        for name in members
        if name in reports
        and path in reports[name].files
        and reports[name].files[path].sha256 != ca_digest
        and (ca_digest is not None or reports[name].etcd.has_data or reports[name].etcd.bootstrapped)
    ]
    may_go = "if its data can be discarded: `haplane reset INVENTORY"
    if ca_digest is None:
        return [
            HaplaneError(
                f"{name} holds etcd data, but no reachable master has the keys for it",
                where=f"{name}: {path}",
                why="its masters are lost or off, or the data belongs to another cluster",
                next_step=f"if the masters are lost, {KEYS_BACK}; {may_go} {name}`",
            )
            for name in others
        ]
    return [
        HaplaneError(
            f"{name} holds etcd of another cluster",
            where=f"{name}: {path}",
            why="its CA is not the masters' CA",
            next_step=f"{may_go} {name}`",
        )
        for name in others
    ]


def workers_of_another_cluster(
    ca_digest: str | None, workers: Sequence[str], reports: Mapping[str, HostReport], path: str
) -> list[HaplaneError]:
    """Workers that have joined a cluster whose CA, at ``path``, is not this one's."""
    return [
        HaplaneError(
            f"{name} is a node of another cluster",
            where=f"{name}: {path}",
            why="its CA is not the masters' CA",
            next_step=f"if it can be removed from that cluster: `haplane reset INVENTORY {name}`",
        )
        for name in workers
        if name in reports and path in reports[name].files and reports[name].files[path].sha256 != ca_digest
    ]
