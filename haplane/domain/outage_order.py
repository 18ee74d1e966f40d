"""In which order hosts go out of service one after the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.observed import HostReport


def in_order(
    hosts: Sequence[str], reports: Mapping[str, HostReport], *, workers: Sequence[str], balancers: Sequence[str]
) -> list[str]:
    """Workers, load balancers, then masters and members.

    Of each, the one that holds the address and the one that leads etcd come last: each is handed over once.
    """

    def key(name: str) -> tuple[int, bool, bool]:
        report = reports.get(name)
        rank = 0 if name in workers else 1 if name in balancers else 2
        return rank, report is not None and report.balancer.holds_endpoint, leads(report)

    return sorted(hosts, key=key)


def leads(report: HostReport | None) -> bool:
    """Whether the host's member is etcd's leader."""
    status = report.etcd.status if report is not None else None
    return status is not None and status.leader == status.header.member_id
