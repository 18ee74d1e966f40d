"""How full etcd's database is, and whether there is room on a disk for a member. Pure. All sizes in bytes.

etcd counts its file, free pages included, against its quota (server/storage/quota.go); over it, it raises the alarm
NOSPACE and takes no more writes than deletions until somebody takes the alarm back. Compaction frees pages, only
defragmentation makes the file smaller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from haplane.domain import host_paths
from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.members import corrupt, with_alarm
from haplane.domain.observed import HostReport
from haplane.domain.plan import Kind, Step

NOSPACE = re.compile(r"memberID:(\d+) alarm:NOSPACE")
NEARLY_FULL = 0.8
MOSTLY_FREE = 0.5
FULL = 0.97
DEFAULT_QUOTA = 2 << 30
"""etcd's own (DefaultQuotaBytes), for a member that does not report which it has."""

LOG_ROOM = 3 * 64_000_000
"""Two segments of its log that a member preallocates, and a third while it changes over (wal.SegmentSizeBytes)."""

OUT_OF_SPACE = "etcd is out of space (NOSPACE)"
FRAGMENTED = "its database is mostly free pages"


def quota_of(status: EtcdStatus) -> int:
    """The quota that the running member has."""
    return status.db_size_quota or DEFAULT_QUOTA


def fullness(status: EtcdStatus) -> float:
    """How much of its quota the database takes, 1 where writes stop."""
    return status.db_size / quota_of(status)


def without_space(reports: Iterable[HostReport]) -> frozenset[int]:
    """IDs of the members that raised NOSPACE, as more than half of these etcd hosts report."""
    return with_alarm(NOSPACE, reports)


def is_fragmented(status: EtcdStatus) -> bool:
    """Whether defragmenting that member's own database is worth its while."""
    return fullness(status) > NEARLY_FULL and 0 < status.db_size_in_use < MOSTLY_FREE * status.db_size


def space_steps(members: Sequence[str], reports: Mapping[str, HostReport]) -> list[Step]:
    """One for each of these members that runs where etcd is out of space, or whose own database is mostly free.

    None while etcd warns of corruption: then it compacts nothing.
    """
    if corrupt(reports[name] for name in members if name in reports):
        return []
    running = _running(members, reports)
    if without_space(reports[name] for name in running):
        return [Step(Kind.SPACE, name, OUT_OF_SPACE) for name in running]
    return [Step(Kind.SPACE, name, FRAGMENTED) for name, status in running.items() if is_fragmented(status)]


def is_compacted(members: Iterable[str], reports: Mapping[str, HostReport]) -> bool:
    """Whether the history that all members share is shortened: more than half of these are short of space."""
    running = _running(members, reports)
    fragmented = sum(is_fragmented(status) for status in running.values())
    return bool(without_space(reports[name] for name in running)) or 2 * fragmented > len(running)


def _running(members: Iterable[str], reports: Mapping[str, HostReport]) -> dict[str, EtcdStatus]:
    statuses = {name: reports[name].etcd.status for name in members if name in reports}
    return {name: status for name, status in statuses.items() if status is not None}


def still_full(members: Sequence[str], reports: Mapping[str, HostReport]) -> dict[str, EtcdStatus]:
    """Members whose database is at its quota, so that the alarm would be raised again at the next write."""
    return {name: status for name, status in _running(members, reports).items() if fullness(status) >= FULL}


def needed_for_a_member(reports: Iterable[HostReport]) -> int:
    """Free bytes that a new member needs: its log, the database as it is received, and as much again to grow.

    Of several sizes the lower median counts, so that one member that reports nonsense does not decide.
    """
    sizes = sorted(report.etcd.status.db_size for report in reports if report.etcd.reads_through_quorum
                   and report.etcd.status is not None)  # fmt: skip
    return LOG_ROOM + 2 * (sizes[(len(sizes) - 1) // 2] if sizes else 0)


def lacks_room(name: str, reports: Mapping[str, HostReport], members: Iterable[str]) -> str | None:
    """Why this host's disk has no room for a member's data, with the numbers; None where it has."""
    report = reports.get(name)
    if report is None:
        return None
    if report.leftovers.etcd_unmounted:
        return f"a separate disk for {host_paths.ETCD_DATA} is not mounted: etcd's data may be on it"
    needed = needed_for_a_member(reports[one] for one in members if one in reports and one != name)
    free = report.leftovers.etcd_free_bytes
    if free >= needed:
        return None
    return f"{free >> 20} MiB free at {host_paths.ETCD_DATA}, {needed >> 20} MiB needed for a member's data and log"
