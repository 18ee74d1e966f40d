"""Form the etcd cluster, once; later, start members that are down."""

from __future__ import annotations

from haplane.deploys.recipes import form_etcd, start_etcd
from haplane.desired.files import etcd_start, peer_url
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.session import deploy


def form_the_cluster(run: Run) -> None:
    """All members at the same time."""
    drop_in = etcd_start("new", {host.name: peer_url(host) for host in run.inventory.etcd})
    deploy(run.hosts(Kind.FORM_ETCD), form_etcd, run.progress, drop_in=drop_in)


def start_members(run: Run) -> None:
    """All that are down at the same time; starting is never refused."""
    deploy(run.hosts(Kind.START_ETCD), start_etcd, run.progress)


FORM_ETCD = Phase("Form the etcd cluster", (Kind.FORM_ETCD,), form_the_cluster)
START_ETCD = Phase("Start etcd members", (Kind.START_ETCD,), start_members)
