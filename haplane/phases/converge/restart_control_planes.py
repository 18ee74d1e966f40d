"""Control planes whose configuration or certificates changed, restarted."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.procedures.restart import restart_control_plane


def restart_control_planes(context: Context) -> None:
    """Take up a changed configuration: drained, restarted, ready again, back in service, then the next."""
    for host in context.hosts(Kind.CONTROL_PLANE):
        restart_control_plane(context, host, renew=context.plan.items(host.name, Kind.CERTIFICATES))


RESTART_CONTROL_PLANES = Phase(
    "Restart control planes, one at a time", (Kind.CERTIFICATES, Kind.CONTROL_PLANE), restart_control_planes
)
