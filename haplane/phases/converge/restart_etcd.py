"""etcd members whose configuration or certificates changed, restarted."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.procedures.restart import restart_member


def restart_members(context: Context) -> None:
    """Each reads through quorum again, and its API server is ready again, before the next."""
    for host in context.hosts(Kind.ETCD):
        restart_member(context, host)


RESTART_ETCD = Phase("Restart etcd members, one at a time", (Kind.ETCD,), restart_members)
