"""Where a cluster's identity comes from: made now, or read back from the masters, if they agree. Pure.

The invariant: an identity that any host may have served from is never replaced, and two are never mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

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
