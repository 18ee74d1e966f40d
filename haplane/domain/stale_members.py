"""Etcd members that run, or hold the data of, another cluster than the other members. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from haplane.domain import host_paths
from haplane.domain.etcd_report import Etcd
from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError


@dataclass(frozen=True)
class Disagreement:
    """``running`` respond as members of another cluster than the one that ``holding`` have the data of, and none of
    the latter serves. The IDs are those of the two clusters. ``fewer``: more stand for the latter.
    """

    running: tuple[str, ...]
    holding: tuple[str, ...]
    running_id: int
    holding_id: int
    fewer: bool

    @property
    def what(self) -> str:
        """Both sides, in words."""
        return (
            f"etcd members disagree: {', '.join(self.running)} responds as cluster {self.running_id:x}, "
            f"the data on {', '.join(self.holding)} is of cluster {self.holding_id:x}"
        )

    @property
    def next_step(self) -> str:
        """What loses nothing, whichever side is right."""
        if not self.fewer:
            return "bring the other members back, then `haplane status INVENTORY`; discard neither side's data before"
        options = "".join(f" --without {name}" for name in self.running)
        return f"start the others first: `haplane up INVENTORY{options}`; discard neither side's data before"


WHY_DISAGREEMENT = "as many members or more stand for the cluster that does not run: it may be intact"


def stale_members(members: Sequence[str], reports: Mapping[str, HostReport]) -> dict[str, int]:
    """Members that run, or hold the data of, another cluster than most are of. Each with the ID that the others have.

    One member stands for the cluster that runs there, or else for that of its data. Where two clusters have as many,
    the one that two members serve. Empty where that does not show which cluster is this one.
    """
    known, sides = _known(members, reports)
    ours = _this_cluster(known, sides)
    if ours is None:
        return {}
    return {name: ours for name, etcd in known.items() if set(_clusters(etcd)) - {ours}}


def disagreement(members: Sequence[str], reports: Mapping[str, HostReport]) -> Disagreement | None:
    """Why nobody's data may be discarded: what runs is not what as many members or more hold the data of.

    A member that was restored by itself looks like this, and so does one that lies, beside others that are down.
    """
    known, sides = _known(members, reports)
    ours = _this_cluster(known, sides)
    responding = {sides[name] for name, etcd in known.items() if name in sides and etcd.status is not None}
    serving = {sides[name] for name, etcd in known.items() if name in sides and etcd.reads_through_quorum}
    apart = sorted(responding - {ours})
    if not apart or ours in serving or (ours is None and len(responding) > 1):
        return None
    running = tuple(name for name, side in sides.items() if side in apart)
    others = [side for side in sides.values() if side not in apart]
    if not others:
        return None
    other = ours if ours is not None else others[0]
    holding = tuple(name for name, side in sides.items() if side == other)
    return Disagreement(running, holding, apart[0], other, fewer=ours is not None)


def _known(members: Sequence[str], reports: Mapping[str, HostReport]) -> tuple[dict[str, Etcd], dict[str, int]]:
    """The members that answered, and which cluster each stands for, where that is known."""
    known = {name: reports[name].etcd for name in members if name in reports}
    return known, {name: ids[0] for name, etcd in known.items() if (ids := _clusters(etcd))}


def _this_cluster(known: Mapping[str, Etcd], sides: Mapping[str, int]) -> int | None:
    votes = Counter(sides.values())
    most = [one for one, count in votes.items() if count == max(votes.values())]
    if len(most) < 2:
        return next(iter(most), None)
    serving = Counter(sides[name] for name, etcd in known.items() if name in sides and etcd.reads_through_quorum)
    served = [one for one in most if serving[one] > 1]
    return served[0] if len(served) == 1 else None


def shares_cluster(name: str, others: Iterable[str], reports: Mapping[str, HostReport]) -> bool:
    """Whether that member's data is of the same cluster as the data of one of the others."""
    own = reports[name].etcd.data_cluster_id
    return own is not None and own in {reports[other].etcd.data_cluster_id for other in others if other != name}


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


def stale_etcd(
    members: Sequence[str], reports: Mapping[str, HostReport], repaired: str | None = None
) -> list[HaplaneError]:
    """Why members with data of another cluster are refused, but for the one whose data may go."""
    if found := disagreement(members, reports):
        where = ", ".join((*found.running, *found.holding))
        return [HaplaneError(found.what, where=where, why=WHY_DISAGREEMENT, next_step=found.next_step)]
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
