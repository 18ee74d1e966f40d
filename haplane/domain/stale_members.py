"""Etcd members that run, or hold the data of, another cluster than the other members. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.etcd_report import Etcd
from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError


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
