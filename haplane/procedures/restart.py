"""A master's control plane or an etcd member restarted: behind the guard, out of service meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys import etcd_recipes, recipes
from haplane.domain.guard import Guard, may_restart_apiserver, may_restart_etcd
from haplane.observation.guard import refuse_unless
from haplane.procedures.out_of_service import out_of_service, wait_for_connection_drain

KUBELET_CLIENT = "apiserver-kubelet-client"


def restart_control_plane(
    context: Context,
    host: Host,
    *,
    renew: tuple[str, ...] = (),
    before: Callable[[], None] | None = None,
    guard: Guard = may_restart_apiserver,
) -> None:
    """One master's, behind the guard. ``renew``: kubeadm's certificates that are renewed before.

    ``before`` is called while the API server serves and gets no new connections any more.
    """
    refuse_unless(context, host, context.inventory.masters, guard)
    if KUBELET_CLIENT in renew and context.has_ready_api_server():
        context.deploy([context.some_master()], recipes.bind_kubelet_admin)
    with out_of_service(context, host):
        wait_for_connection_drain(context, host)
        if before is not None:
            before()
        start_control_plane_anew(context, host, renew=renew)


def start_control_plane_anew(context: Context, host: Host, *, renew: tuple[str, ...] = ()) -> None:
    """The control plane of a master that gets no new connections."""
    port = context.inventory.cluster.apiserver_port
    context.deploy([host], recipes.restart_control_plane, port=port, renew=renew)


def restart_member(
    context: Context,
    host: Host,
    *,
    before: Callable[[], None] | None = None,
    guard: Guard = may_restart_etcd,
) -> None:
    """One, behind the guard. ``before`` is called when its master's API server has no connections any more.

    That has no etcd but the one beside it, and etcd waits 7 s for watches when it ends: requests would wait as long.
    """
    refuse_unless(context, host, (*context.inventory.etcd, *context.inventory.leaving), guard)
    with out_of_service(context, host):
        wait_for_connection_drain(context, host)
        if before is not None:
            before()
        context.deploy([host], etcd_recipes.restart_etcd)
        if host in context.inventory.masters:
            context.deploy([host], recipes.wait_for_apiserver, port=context.inventory.cluster.apiserver_port)
