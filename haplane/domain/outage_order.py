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
        if report is None:
            return rank, False, False
        return rank, report.balancer.holds_endpoint, report.etcd.leads

    return sorted(hosts, key=key)
