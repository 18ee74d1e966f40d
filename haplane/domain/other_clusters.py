"""Hosts whose files are those of another cluster: etcd members and workers, by the CA that they trust. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.identity_origin import KEYS_BACK
from haplane.domain.observed import HostReport
from haplane.errors import HaplaneError


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
