"""Hosts whose files are those of another cluster: etcd members and workers, by the CA that they trust. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haplane.domain.host_paths import KUBELET_KUBECONFIG
from haplane.domain.identity_origin import KEYS_BACK
from haplane.domain.observed import HostReport
from haplane.domain.stale_members import shares_cluster
from haplane.errors import HaplaneError

OTHER_CA = "the CA that it trusts is not the cluster's"
"""What a host reports of a kubeconfig that trusts another CA than the one beside it (on_host/kubeconfigs.py)."""


def etcd_of_another_cluster(
    ca_digest: str | None, members: Sequence[str], reports: Mapping[str, HostReport], path: str
) -> list[HaplaneError]:
    """Members whose etcd CA is not this cluster's: another cluster's remains.

    Before there is an identity (``ca_digest`` is None) only a member with data is one: a CA without data
    is what an interrupted first run leaves. One whose data are those of members with this cluster's CA is none: its
    file was replaced, and `up` writes it again.
    """
    there = [name for name in members if name in reports and path in reports[name].files]
    ours = [name for name in there if reports[name].files[path].sha256 == ca_digest]
    others = [
        name
        for name in there
        if name not in ours
        and (ca_digest is not None or reports[name].etcd.has_data or reports[name].etcd.bootstrapped)
        and not shares_cluster(name, ours, reports)
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
    """Workers that have joined a cluster whose CA, at ``path``, is not this one's.

    Not where the kubelet's kubeconfig trusts another CA than that file: somebody replaced the file.
    """
    return [
        HaplaneError(
            f"{name} is a node of another cluster",
            where=f"{name}: {path}",
            why="its CA is not the masters' CA",
            next_step=f"if it can be removed from that cluster: `haplane reset INVENTORY {name}`",
        )
        for name in workers
        if name in reports
        and path in reports[name].files
        and reports[name].files[path].sha256 != ca_digest
        and reports[name].unusable.get(KUBELET_KUBECONFIG) != OTHER_CA
    ]
