"""What the hosts said, as the membership that :mod:`haplane.domain.membership` decides over. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from haplane.domain.membership import Listed, Machine, Membership
from haplane.domain.observed import EtcdMember, HostReport, listed_members

CORRUPT_ALARM = re.compile(r"memberID:(\d+) alarm:CORRUPT")


def membership(
    wanted: Mapping[str, str],
    leaving: Mapping[str, str],
    reports: Mapping[str, HostReport],
    *,
    condemned: Collection[str] = (),
    starting: bool = False,
) -> Membership:
    """``wanted`` and ``leaving`` map names to addresses.

    With ``starting`` those that are merely down count as serving: they are started before anything is changed; and
    while nobody tells the list, it is taken to be the wanted ones.
    """
    told = listed_members(reports.values()) or (_assumed(wanted) if starting else ())
    running = {
        report.etcd.status.header.member_id: report for report in reports.values() if report.etcd.status is not None
    }
    down = {
        address
        for name, address in wanted.items()
        if starting and name not in condemned and name in reports and is_down(reports[name])
    }
    return Membership(
        listed=tuple(_listed(member, running.get(member.id), reports.values(), down) for member in told),
        machines=tuple(
            Machine(name, address, name in reports, _has_data(reports.get(name)), name in condemned)
            for name, address in wanted.items()
        ),
        may_leave=frozenset(address for name, address in leaving.items() if name in reports),
        alarms=corrupt(reports.values()),
    )


def corrupt(reports: Iterable[HostReport]) -> frozenset[int]:
    """The IDs of members that etcd's own alarm calls corrupt; while there is one, etcd takes no writes at all."""
    said = [error for report in reports if report.etcd.status is not None for error in report.etcd.status.errors]
    return frozenset(int(number) for error in said for number in CORRUPT_ALARM.findall(error))


def differ(reports: Iterable[HostReport]) -> bool:
    """Whether etcd warns that data differ without a majority for either: then its alarm names no member."""
    said = [error for report in reports if report.etcd.status is not None for error in report.etcd.status.errors]
    return any("alarm:CORRUPT" in error and not CORRUPT_ALARM.search(error) for error in said)


def is_corrupt(name: str, reports: Mapping[str, HostReport]) -> bool:
    """Whether this member's data are damaged: by its own last words, or by what etcd warns of."""
    report = reports.get(name)
    if report is None:
        return False
    mine = report.etcd.status.header.member_id if report.etcd.status is not None else None
    return report.etcd.complaint is not None or mine in corrupt(reports.values())


def is_late(report: HostReport) -> bool:
    """Whether its member runs and has not said how it is."""
    unit = report.units.get("etcd")
    return unit is not None and unit.active and report.etcd.has_data and report.etcd.status is None


def is_down(report: HostReport) -> bool:
    """Whether its member has data and only has to be started."""
    return report.etcd.has_data and report.etcd.status is None and report.etcd.complaint is None


def _listed(
    member: EtcdMember, report: HostReport | None, reports: Iterable[HostReport], down: Collection[str]
) -> Listed:
    if report is not None:
        serves = report.etcd.status is not None if member.is_learner else report.etcd.reads_through_quorum
    else:
        seen_serving = any(each.etcd.outsiders.get(f"{member.id:x}") for each in reports)
        serves = seen_serving or (address_of(member) in down and not member.is_learner)
    return Listed(member.id, member.name, address_of(member), member.is_learner, serves)


def address_of(member: EtcdMember) -> str:
    """The host of its first peer URL, "" without one."""
    return (urlsplit(member.peer_urls[0]).hostname or "") if member.peer_urls else ""


def _assumed(wanted: Mapping[str, str]) -> tuple[EtcdMember, ...]:
    return tuple(
        EtcdMember.model_validate({"ID": number, "name": name, "peerURLs": [f"https://{address}:2380"]})
        for number, (name, address) in enumerate(wanted.items(), start=1)
    )


def _has_data(report: HostReport | None) -> bool:
    return report is not None and report.etcd.has_data
