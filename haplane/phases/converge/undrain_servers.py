"""API servers that an interrupted run left drained, put back into service."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import recipes
from haplane.domain.plan import Kind


def undrain_servers(context: Context) -> None:
    """By all load balancers that have it drained."""
    for name in dict.fromkeys(item for step in context.plan.of(Kind.UNDRAIN) for item in step.items):
        hosts = [host for host in context.hosts(Kind.UNDRAIN) if name in context.plan.items(host.name, Kind.UNDRAIN)]
        context.deploy(hosts, recipes.undrain_server, server=name)


UNDRAIN_SERVERS = Phase("Undrain servers", (Kind.UNDRAIN,), undrain_servers)
