"""What the hosts reported, as the membership that :mod:`haplane.domain.membership` decides over. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from haplane.domain.etcd_report import EtcdMember
from haplane.domain.membership import Listed, Machine, Membership
from haplane.domain.observed import HostReport, listed_members
from haplane.domain.problem import ETCDCTL

CORRUPT_ALARM = re.compile(r"memberID:(\d+) alarm:CORRUPT")


def membership(
    wanted: Mapping[str, str],
    leaving: Mapping[str, str],
    reports: Mapping[str, HostReport],
    *,
    data_to_discard: Collection[str] = (),
    starting: bool = False,
) -> Membership:
    """``wanted`` and ``leaving`` map names to addresses.

    With ``starting`` those that are merely down count as serving: they are started before anything is changed; and
    while nobody tells the list, it is taken to be the wanted ones.
    """
    reports = with_known_etcd(reports)
    reported = listed_members(reports.values()) or (_assumed(wanted, leaving, reports) if starting else ())
    at = {address: reports[name] for name, address in {**leaving, **wanted}.items() if name in reports}
    down = {
        address
        for name, address in {**leaving, **wanted}.items()
        if starting and name not in data_to_discard and name in reports and is_down(reports[name])
    }
    return Membership(
        listed=tuple(
            _listed(
                member,
                at.get(address_of(member)),
                () if address_of(member) in wanted.values() else reports.values(),
                down,
            )
            for member in reported
        ),
        machines=tuple(
            Machine(
                name,
                address,
                name in reports,
                _has_data(reports.get(name)),
                name in data_to_discard,
                is_member=_is_member(reports.get(name)),
            )
            for name, address in wanted.items()
        ),
        may_leave=frozenset(address for name, address in leaving.items() if name in reports),
        alarms=corrupt(reports.values()),
    )


def misaddressed(wanted: Mapping[str, str], reports: Mapping[str, HostReport]) -> dict[str, EtcdMember]:
    """Members that run on their host, by the same name and ID, and are listed at no address that it has.

    ``wanted`` maps names to addresses.
    """
    return {
        member.name: member
        for member in listed_members(reports.values())
        if member.name in wanted and member.name in reports and _is_elsewhere(member, reports[member.name])
    }


def _is_elsewhere(member: EtcdMember, report: HostReport) -> bool:
    status, places = report.etcd.status, [urlsplit(url).hostname or "" for url in member.peer_urls]
    here = any(report.interface_of(place) is not None for place in places)
    return status is not None and status.header.member_id == member.id and bool(places) and not here


def readdressing(member: EtcdMember, address: str) -> str:
    """What lists a member at that address again."""
    return f"{ETCDCTL} member update {member.id:x} --peer-urls=https://{address}:2380"


def with_known_etcd(reports: Mapping[str, HostReport]) -> dict[str, HostReport]:
    """Without hosts whose etcd could not be inspected: whether they have data is unknown, as if unreachable."""
    return {name: report for name, report in reports.items() if "etcd" not in report.failed}


def corrupt(reports: Iterable[HostReport]) -> frozenset[int]:
    """The IDs of members that etcd's own alarm calls corrupt; while there is one, etcd takes no writes at all."""
    return with_alarm(CORRUPT_ALARM, reports)


def with_alarm(alarm: re.Pattern[str], reports: Iterable[HostReport]) -> frozenset[int]:
    """The IDs of members that raised it. Every member reports the alarms of all: it takes a majority of them."""
    reported = _errors_of(reports)
    counted = Counter(number for errors in reported for number in set(alarm.findall("\n".join(errors))))
    return frozenset(int(number) for number, votes in counted.items() if 2 * votes > len(reported))


def differ(reports: Iterable[HostReport]) -> bool:
    """Whether etcd warns that data differ without a majority for either: then its alarm names no member."""
    reported = _errors_of(reports)
    unnamed = [any("alarm:CORRUPT" in one and not CORRUPT_ALARM.search(one) for one in errors) for errors in reported]
    return 2 * sum(unnamed) > len(reported)


def _errors_of(reports: Iterable[HostReport]) -> list[tuple[str, ...]]:
    return [report.etcd.status.errors for report in reports if report.etcd.status is not None]


def is_corrupt(name: str, reports: Mapping[str, HostReport]) -> bool:
    """Whether this member's data are damaged: by its own last words, or by what etcd warns of."""
    report = reports.get(name)
    if report is None:
        return False
    mine = report.etcd.status.header.member_id if report.etcd.status is not None else None
    return report.etcd.damaged or mine in corrupt(reports.values())


def is_late(report: HostReport) -> bool:
    """Whether its member runs and has not said how it is."""
    unit = report.units.get("etcd")
    return unit is not None and unit.active and report.etcd.has_data and report.etcd.status is None


def is_down(report: HostReport) -> bool:
    """Whether its member has data and only has to be started."""
    return report.etcd.has_data and report.etcd.status is None and not report.etcd.damaged


def _listed(
    member: EtcdMember, report: HostReport | None, witnesses: Iterable[HostReport], down: Collection[str]
) -> Listed:
    """``witnesses`` reported whether members serve that are not in the inventory; of others they know nothing."""
    status = report.etcd.status if report is not None else None
    if report is not None and status is not None and status.header.member_id == member.id:
        serves = member.is_learner or report.etcd.reads_through_quorum
    else:
        serves = _seen_serving(member, witnesses) or (address_of(member) in down and not member.is_learner)
    return Listed(member.id, member.name, address_of(member), member.is_learner, serves)


def _seen_serving(member: EtcdMember, reports: Iterable[HostReport]) -> bool:
    """Whether an outsider serves, unless more than half of the members that tried it report that it does not."""
    reported = [found for report in reports if (found := report.etcd.outsiders.get(f"{member.id:x}")) is not None]
    return bool(reported) and 2 * sum(reported) >= len(reported)


def address_of(member: EtcdMember) -> str:
    """The host of its first peer URL, "" without one."""
    return (urlsplit(member.peer_urls[0]).hostname or "") if member.peer_urls else ""


def members_besides(
    names: Sequence[str], leaving: Sequence[str], reports: Mapping[str, HostReport]
) -> tuple[str, ...]:
    """The members of the cluster there is: ``names`` are the inventory's, ``leaving`` those on their way out.

    A leaving one counts while it has data, or cannot be reached and may have. Where any does, hosts of the inventory
    that answer and have never been a member are newcomers and no part of the majority.
    """
    holding = [name for name in leaving if name not in reports or reports[name].etcd.has_data]
    if not holding:
        return tuple(names)
    been = [name for name in names if name not in reports or _has_been_a_member(reports[name])]
    return (*been, *holding)


def _has_been_a_member(report: HostReport) -> bool:
    return report.etcd.bootstrapped or report.etcd.has_data


def _assumed(
    wanted: Mapping[str, str], leaving: Mapping[str, str], reports: Mapping[str, HostReport]
) -> tuple[EtcdMember, ...]:
    """The wanted ones; while leaving ones have the data, those of all that have been members."""
    names = members_besides([*wanted], [name for name in leaving if name in reports], reports)
    addresses = {**leaving, **wanted}
    return tuple(
        EtcdMember.model_validate({"ID": number, "name": name, "peerURLs": [f"https://{addresses[name]}:2380"]})
        for number, name in enumerate(names, start=1)
    )


def _is_member(report: HostReport | None) -> bool:
    """Whether the host itself reports that it votes, or did when its etcd last ran."""
    if report is None:
        return False
    return report.etcd.reads_through_quorum or (report.etcd.bootstrapped and report.etcd.has_data)


def _has_data(report: HostReport | None) -> bool:
    return report is not None and report.etcd.has_data
