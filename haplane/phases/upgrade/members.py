"""etcd's members, one at a time, the leader last."""

from __future__ import annotations

from functools import partial

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.guard import announced_outage, may_restart_etcd
from haplane.domain.plan import Kind
from haplane.domain.upgrade_plan import Group
from haplane.phases.converge.rolling import leads, restart_member, wait_for_connection_drain
from haplane.phases.upgrade.switch import switch


def upgrade_members(context: Context) -> None:
    """Each reads through quorum in its new version, and its master's API server is ready, before the next."""
    guard = may_restart_etcd if len(context.inventory.etcd) > 1 else announced_outage
    for host in sorted(context.hosts(Kind.UPGRADE_ETCD), key=lambda one: leads(context, one)):
        restart_member(context, host, before=partial(_switch, context, host), guard=guard)


def _switch(context: Context, host: Host) -> None:
    """An API server has no etcd but the one beside it: requests over connections that it kept would wait for that."""
    wait_for_connection_drain(context, host)
    switch(context, host, Group.ETCD)


UPGRADE_ETCD = Phase("Upgrade etcd, one member at a time", (Kind.UPGRADE_ETCD,), upgrade_members)
