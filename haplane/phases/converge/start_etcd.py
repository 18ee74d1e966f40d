"""Start etcd members that are down."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.etcd_recipes import start_etcd
from haplane.deploys.recipes import put_back_control_plane
from haplane.domain.plan import Kind


def start_members(context: Context) -> None:
    """All that are down at the same time; starting is never refused.

    One whose certificates have expired may run all the same. It serves nobody and is not taken out of service here.
    """
    hosts = context.hosts(Kind.START_ETCD)
    context.deploy(hosts, start_etcd)
    waiting = [host for host in hosts if _waits_to_be_tried_again(context, host)]
    context.deploy(waiting, put_back_control_plane, port=context.inventory.cluster.apiserver_port)


def _waits_to_be_tried_again(context: Context, host: Host) -> bool:
    """Whether all that its API server lacked was etcd: the kubelet has seen it fail, and waits for minutes."""
    if host not in context.inventory.masters or context.report(host).apiserver.ready:
        return False
    rest = (Kind.INITIALISE, Kind.RECOVER, Kind.CONTROL_PLANE, Kind.KUBELET_CLIENT, Kind.KUBELET)
    return host.name not in context.plan.hosts(*rest)


START_ETCD = Phase("Start etcd members", (Kind.START_ETCD,), start_members)
