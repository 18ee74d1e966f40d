"""Whose cluster these hosts are: whether they carry one identity, none, or several. Pure.

The invariant: an identity that any host may have served from is never replaced, and two are never mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError, Refused, UnfitHosts


class Origin(Enum):
    """Where the cluster's identity comes from."""

    NEW = "made now"
    MASTERS = "read back from the masters"


def origin_of_identity(
    masters: Sequence[str], reports: Mapping[str, HostReport], paths: Sequence[str], evidence: Sequence[str]
) -> Origin:
    """``paths`` are the files of an identity, ``evidence`` those of a node that is part of some cluster.

    Raises UnfitHosts naming each file that two masters hold differently and each host that another cluster has left
    its files on, and Refused when an identity that has been used is nowhere complete.
    """
    known = {name: reports[name] for name in masters if name in reports}
    if disagreements := [error for path in paths if (error := _disagreement(path, known))]:
        raise UnfitHosts("these masters are not of one cluster; nothing was changed", disagreements)
    held = {path for report in known.values() for path in paths if path in report.files}
    if held == set(paths):
        return Origin.MASTERS
    used = [name for name, report in reports.items() if report.etcd.bootstrapped or report.etcd.has_data]
    if used:
        raise Refused(
            "no reachable master holds the cluster's whole identity, but etcd has data",
            where=f"etcd data on {', '.join(used)}",
            why=f"missing everywhere: {', '.join(sorted(set(paths) - held)[:3])}",
            next_step="switch on a master that has it, or take haplane off these hosts with `haplane reset`",
        )
    if remains := [error for name, report in reports.items() if (error := _remains(name, report, evidence))]:
        raise UnfitHosts("another cluster has been on these hosts; nothing was changed", remains)
    return Origin.NEW


def _remains(name: str, report: HostReport, evidence: Sequence[str]) -> HaplaneError | None:
    """Haplane writes these files only after a whole identity is on every master, so they are somebody else's."""
    found = [path for path in evidence if path in report.files]
    if not found:
        return None
    return HaplaneError(
        f"{name} holds files of another cluster",
        where=f"{name}: {', '.join(found[:3])}",
        why="no master of this inventory holds an identity they could belong to",
        next_step=f"if that cluster may go: `haplane reset INVENTORY {name}`",
    )


def _disagreement(path: str, reports: Mapping[str, HostReport]) -> HaplaneError | None:
    holders: dict[str, list[str]] = {}
    for name, report in reports.items():
        if path in report.files:
            holders.setdefault(report.files[path].sha256, []).append(name)
    if len(holders) < 2:
        return None
    sides = " / ".join(", ".join(names) for names in holders.values())
    return HaplaneError(
        f"{path} differs between masters",
        where=sides,
        why="they were set up as, or restored from, different clusters",
        next_step="take haplane off the ones that do not belong: `haplane reset INVENTORY HOST`, then run `up` again",
    )


def changed_settings(
    wanted: Mapping[str, str], masters: Sequence[str], reports: Mapping[str, HostReport], evidence: Sequence[str]
) -> tuple[str, ...]:
    """Where the inventory wants another value than the cluster was made with, both values said.

    Of a configuration on a master without any of ``evidence`` nothing has been made yet: it may be written anew.
    """
    been_through = [
        reports[name] for name in masters if name in reports and any(path in reports[name].files for path in evidence)
    ]
    return tuple(
        dict.fromkeys(
            f"{name} of the cluster is {report.settings[name]}, the inventory says {value}"
            for name, value in wanted.items()
            for report in been_through
            if report.settings.get(name, value) != value
        )
    )


def foreign_etcd(
    authority_digest: str | None, members: Sequence[str], reports: Mapping[str, HostReport], path: str
) -> list[HaplaneError]:
    """Members whose etcd authority is not this cluster's: another cluster's remains.

    Before there is an identity (``authority_digest`` is None) only a member with data is one: an authority without
    data is what an interrupted first run leaves.
    """
    foreign = [
        name
        for name in members
        if name in reports
        and path in reports[name].files
        and reports[name].files[path].sha256 != authority_digest
        and (authority_digest is not None or reports[name].etcd.has_data or reports[name].etcd.bootstrapped)
    ]
    return [
        HaplaneError(
            f"{name} holds etcd of another cluster",
            where=f"{name}: {path}",
            why="its authority is not the one the masters hold",
            next_step=f"if its data may go: `haplane reset INVENTORY {name}`",
        )
        for name in foreign
    ]


def foreign_workers(
    authority_digest: str | None, workers: Sequence[str], reports: Mapping[str, HostReport], path: str
) -> list[HaplaneError]:
    """Workers that have joined a cluster whose authority, at ``path``, is not this one's."""
    return [
        HaplaneError(
            f"{name} is a node of another cluster",
            where=f"{name}: {path}",
            why="its authority is not the one the masters hold",
            next_step=f"if it may leave that cluster: `haplane reset INVENTORY {name}`",
        )
        for name in workers
        if name in reports and path in reports[name].files and reports[name].files[path].sha256 != authority_digest
    ]
