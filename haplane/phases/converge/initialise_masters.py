"""kubeadm's phases, the same ones on all masters at once: nobody is first."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import initialise_master, remove_super_admin, start_kubelet
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.plan import MASTER_EVIDENCE, Kind
from haplane.domain.steps.nodes import AGAIN
from haplane.phases.converge.push_bundle import wait_for_images


def initialise_masters(context: Context) -> None:
    """Every master that has not been through them, as soon as its images are there."""
    hosts = context.hosts(Kind.INITIALISE)
    wait_for_images(context, hosts)
    port = context.inventory.cluster.apiserver_port
    context.deploy(hosts, initialise_master, evidence=MASTER_EVIDENCE, port=port)


def start_kubelets(context: Context) -> None:
    """Kubelets that are down, or whose unit changed. Their pods run on meanwhile."""
    hosts, replaced = context.hosts(Kind.KUBELET), context.plan.hosts(Kind.KUBELET_CLIENT)
    read = context.paths(hosts, Part.KUBELET)
    read |= {name: (*read[name], host_paths.KUBELET_CLIENT_PEM) for name in read if name in replaced}
    again = [host.name for host in hosts if AGAIN in context.plan.items(host.name, Kind.KUBELET)]
    context.deploy(hosts, start_kubelet, paths_of=read, again=again)


def tidy_masters(context: Context) -> None:
    """Take away what bypasses authorization, on every master that kubeadm has left it on."""
    hosts = context.reachable(context.hosts(Kind.INITIALISE, Kind.TIDY))
    context.deploy(hosts, remove_super_admin, path=host_paths.SUPER_ADMIN_KUBECONFIG)


INITIALISE_MASTERS = Phase("Run kubeadm's phases on all masters", (Kind.INITIALISE,), initialise_masters)
START_KUBELETS = Phase("Start kubelets", (Kind.KUBELET,), start_kubelets)
TIDY_MASTERS = Phase("Remove super-admin.conf", (Kind.TIDY,), tidy_masters, also_after=(Kind.INITIALISE,))
