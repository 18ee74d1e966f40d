"""kubeadm's phases, the same ones on all masters at once: nobody is first."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import bind_kubelet_admin, initialise_master, remove_super_admin
from haplane.domain import host_paths
from haplane.domain.plan import MASTER_EVIDENCE, Kind
from haplane.procedures.pushes import wait_for_images


def initialise_masters(context: Context) -> None:
    """Every master that has not been through them, as soon as its images are there."""
    hosts = context.hosts(Kind.INITIALISE)
    wait_for_images(context, hosts)
    if context.has_ready_api_server():  # an older version's has not bound what kubeadm 1.36 issues without a group
        context.deploy([context.some_master()], bind_kubelet_admin)
    port = context.inventory.cluster.apiserver_port
    context.deploy(hosts, initialise_master, evidence=MASTER_EVIDENCE, port=port)


def tidy_masters(context: Context) -> None:
    """Take away what bypasses authorization, on every master that kubeadm has left it on."""
    hosts = context.reachable(context.hosts(Kind.INITIALISE, Kind.TIDY))
    context.deploy(hosts, remove_super_admin, path=host_paths.SUPER_ADMIN_KUBECONFIG)


INITIALISE_MASTERS = Phase("Run kubeadm's phases on all masters", (Kind.INITIALISE,), initialise_masters)
TIDY_MASTERS = Phase("Remove super-admin.conf", (Kind.TIDY,), tidy_masters, also_after=(Kind.INITIALISE,))
