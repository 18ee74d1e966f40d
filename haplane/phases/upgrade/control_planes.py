"""Control planes, one at a time; one that does not become ready gets back what it ran before, and the run ends."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain.files import Part
from haplane.domain.guard import may_restart_apiserver, where_others_carry_on
from haplane.domain.plan import Kind
from haplane.domain.upgrade_plan import Group
from haplane.procedures.out_of_service import undrain
from haplane.procedures.restart import restart_control_plane, start_control_plane_anew
from haplane.procedures.switch import switching
from haplane.procedures.timed import timed


def upgrade_control_planes(context: Context) -> None:
    """API server, scheduler and controller manager of each master; first of one whose API server is not ready.

    API servers' right to use kubelets is bound first: certificates that kubeadm 1.36 issues carry no group for it.
    """
    context.deploy([context.some_master()], recipes.bind_kubelet_admin)
    hosts = context.hosts(Kind.UPGRADE_CONTROL_PLANE)
    for host in sorted(hosts, key=lambda one: context.report(one).apiserver.ready):
        with timed(context, host.name, Kind.UPGRADE_CONTROL_PLANE):
            _upgrade(context, host)


def _upgrade(context: Context, host: Host) -> None:
    def start_old() -> None:
        start_control_plane_anew(context, host)
        undrain(context, host)

    renew = context.plan.items(host.name, Kind.CERTIFICATES)
    guard = where_others_carry_on(may_restart_apiserver, len(context.inventory.masters))
    with switching(context, host, Group.CONTROL_PLANE, start_old, Part.CONTROL_PLANE) as begin:
        restart_control_plane(context, host, renew=renew, before=begin, guard=guard)


UPGRADE_CONTROL_PLANES = Phase(
    "Upgrade control planes, one at a time",
    (Kind.UPGRADE_CONTROL_PLANE, Kind.CERTIFICATES),
    upgrade_control_planes,
)
