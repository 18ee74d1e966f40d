"""Form the etcd cluster, once; later, start members that are down."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.etcd_recipes import form_etcd, start_etcd
from haplane.deploys.recipes import put_back_control_plane
from haplane.desired.files import etcd_start, peer_url
from haplane.domain.plan import Kind


def form_the_cluster(context: Context) -> None:
    """All members at the same time."""
    drop_in = etcd_start("new", {host.name: peer_url(host) for host in context.inventory.etcd})
    context.deploy(context.hosts(Kind.FORM_ETCD), form_etcd, drop_in=drop_in)


def start_members(context: Context) -> None:
    """All that are down at the same time; starting is never refused.

    One whose certificates have expired may run all the same. It serves nobody and is not taken out of service here.
    """
    hosts = context.hosts(Kind.START_ETCD)
    renewed = [host.name for host in hosts if context.wants[host.name].expired]
    context.deploy(hosts, start_etcd, renewed=renewed)
    waiting = [host for host in hosts if host.name in renewed and _waits_to_be_tried_again(context, host)]
    context.deploy(waiting, put_back_control_plane, port=context.inventory.cluster.apiserver_port)


def _waits_to_be_tried_again(context: Context, host: Host) -> bool:
    """Whether all that its API server lacked was etcd: the kubelet has seen it fail, and waits for minutes."""
    if host not in context.inventory.masters or context.report(host).apiserver.ready:
        return False
    rest = (Kind.INITIALISE, Kind.RECOVER, Kind.CONTROL_PLANE, Kind.KUBELET_CLIENT, Kind.KUBELET)
    return host.name not in context.plan.hosts(*rest)


FORM_ETCD = Phase("Form the etcd cluster", (Kind.FORM_ETCD,), form_the_cluster)
START_ETCD = Phase("Start etcd members", (Kind.START_ETCD,), start_members)
