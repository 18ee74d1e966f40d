"""Form the etcd cluster, once."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.etcd_recipes import form_etcd
from haplane.desired.files import etcd_start, peer_url
from haplane.domain.plan import Kind


def form_the_cluster(context: Context) -> None:
    """All members at the same time."""
    drop_in = etcd_start("new", {host.name: peer_url(host) for host in context.inventory.etcd})
    context.deploy(context.hosts(Kind.FORM_ETCD), form_etcd, drop_in=drop_in)


FORM_ETCD = Phase("Form the etcd cluster", (Kind.FORM_ETCD,), form_the_cluster)
