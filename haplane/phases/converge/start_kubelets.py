"""Kubelets started, or restarted with a changed unit."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import start_kubelet
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.domain.steps.nodes import AGAIN


def start_kubelets(context: Context) -> None:
    """Kubelets that are down, or whose unit changed. Their pods run on meanwhile."""
    hosts, replaced = context.hosts(Kind.KUBELET), context.plan.hosts(Kind.KUBELET_CLIENT)
    read = context.paths(hosts, Part.KUBELET)
    read |= {name: (*read[name], host_paths.KUBELET_CLIENT_PEM) for name in read if name in replaced}
    again = [host.name for host in hosts if AGAIN in context.plan.items(host.name, Kind.KUBELET)]
    context.deploy(hosts, start_kubelet, paths_of=read, again=again)


START_KUBELETS = Phase("Start kubelets", (Kind.KUBELET,), start_kubelets)
