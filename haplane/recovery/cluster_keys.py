"""The keys of the cluster, where no master holds them, and proof that the data belongs to this cluster."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from haplane.domain import host_paths
from haplane.domain.other_clusters import etcd_of_another_cluster
from haplane.errors import Refused, UnfitHosts
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.candidates import Source, newest_stored
from haplane.recovery.context import RestoreContext, names
from haplane.recovery.keys import identity_from_directory
from haplane.recovery.same_cluster import refuse_other_cluster, reported_mark


def with_cluster_keys(context: RestoreContext, source: Source) -> Source:
    """The source with the cluster's keys: those given with --pki, its own, or those of the newest snapshot.

    Raises Refused where there are none, UnfitHosts where members with data do not trust them.
    """
    identity = _cluster_keys(context, source)
    if identity is None:
        raise Refused(
            "no master holds the cluster's keys, and an etcd database alone has none",
            why="with other keys no kubeconfig, kubelet or pod of this cluster would be accepted",
            next_step="give a copy of a master's /etc/kubernetes with --pki, or a snapshot with its sealed keys",
        )
    _refuse_members_of_others(context, identity)
    return replace(source, identity=identity)


def _cluster_keys(context: RestoreContext, source: Source) -> ClusterIdentity | None:
    if context.request.pki is not None:
        return identity_from_directory(context.request.pki)
    if source.identity is not None or context.inventory.cluster.snapshots is None:
        return source.identity
    return newest_stored(context).identity


def _refuse_members_of_others(context: RestoreContext, identity: ClusterIdentity) -> None:
    reports = context.observation.reports
    holding = {name: report for name, report in reports.items() if report.etcd.has_data}
    digest = hashlib.sha256(identity.etcd.certificate).hexdigest()
    if foreign := etcd_of_another_cluster(digest, names(context.members), holding, host_paths.ETCD_MEMBER_CA_CRT):
        raise UnfitHosts("these members' data belongs to another cluster than the given keys", foreign)


def refuse_another_cluster(context: RestoreContext, source: Source) -> None:
    """Raises Refused when the data is another cluster's than the one that the hosts report."""
    mark = reported_mark(context.observation, names(context.inventory.masters))
    refuse_other_cluster(source.name, source.database, source.identity, mark)
