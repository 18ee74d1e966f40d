"""etcd's database made smaller: compacted once, defragmented one member at a time, the alarm taken back last."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import etcd_recipes, recipes
from haplane.domain import host_paths
from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.guard import may_restart_etcd
from haplane.domain.plan import Kind
from haplane.domain.steps.etcd_space import is_compacted, quota_of, still_full, without_space
from haplane.errors import Refused
from haplane.observation.guard import refuse_unless
from haplane.observation.membership import any_healthy_voter
from haplane.observation.observe import observe
from haplane.procedures.out_of_service import out_of_service

MARGIN = 64 << 20


def free_space(context: Context) -> None:
    """Each member reads through quorum again before the next; the leader goes last.

    Live data that fills the quota by itself becomes a warning: the alarm stays, because it would come back.
    """
    members = (*context.inventory.etcd, *context.inventory.leaving)
    if is_compacted([host.name for host in context.inventory.etcd], context.observation.reports):
        context.deploy([any_healthy_voter(context)], etcd_recipes.compact_etcd)
    for host in sorted(context.hosts(Kind.SPACE), key=lambda one: context.report(one).etcd.leads):
        refuse_unless(context, host, members, may_restart_etcd)
        _refuse_without_scratch(context, host)
        with out_of_service(context, host):
            context.deploy([host], etcd_recipes.defragment_etcd)
            if host in context.inventory.masters:
                context.deploy([host], recipes.wait_for_apiserver, port=context.inventory.cluster.apiserver_port)
    observe(context)
    names, reports = [host.name for host in context.inventory.etcd], context.observation.reports
    if full := still_full(names, reports):
        context.result.warnings.append(_what_is_left(context, full))
    elif without_space(context.observation.of(names)):
        context.deploy([any_healthy_voter(context)], etcd_recipes.clear_alarms)


def _what_is_left(context: Context, full: Mapping[str, EtcdStatus]) -> str:
    """For people: live data fill the quota, and which quota that is."""
    wanted = context.inventory.cluster.etcd.quota_backend_bytes
    units = {name: context.observation.reports[name].units.get("etcd") for name in full}
    drop_ins = sorted({path for unit in units.values() if unit is not None for path in unit.foreign_drop_ins})
    up = f"haplane up {shlex.quote(context.inventory.path)}"
    still = f"etcd is still at its quota after it was defragmented ({', '.join(full)}): its live data fills it"
    if drop_ins and any(quota_of(status) < wanted for status in full.values()):
        return f"{still}; remove {', '.join(drop_ins)}, which sets a smaller quota, then `{up}`"
    raise_it = 'raise cluster["etcd"]["quota_backend_bytes"] in the inventory'
    return f"{still}; delete objects, or {raise_it}, then `{up}`"


def _refuse_without_scratch(context: Context, host: Host) -> None:
    """Etcd writes the smaller file beside the old one."""
    report = context.report(host)
    needed = (report.etcd.status.db_size_in_use if report.etcd.status else 0) + MARGIN
    free = report.leftovers.etcd_free_bytes
    if free < needed:
        raise Refused(
            f"etcd's database on {host.name} cannot be defragmented",
            where=f"{host.name}: {host_paths.ETCD_DATA}",
            why=f"{free >> 20} MiB free, {needed >> 20} MiB needed for the new file beside the old one",
            next_step=f"make room on {host.name}, then run the same command again",
        )


FREE_SPACE = Phase("Compact and defragment etcd, one member at a time", (Kind.SPACE,), free_space)
