"""Hosts taken out of the cluster by name, or all of them; not while a serving cluster needs them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.domain import host_paths
from haplane.domain.guard import may_restart_etcd
from haplane.domain.members import members_besides
from haplane.domain.plan import Kind, Plan, Step
from haplane.domain.quorum import majority
from haplane.domain.timestamps import timestamp
from haplane.errors import Refused
from haplane.procedures.reset_hosts import reset_hosts

CLUSTER_NAME = re.compile(r"[a-z0-9-]{1,40}")


def hosts_to_reset(context: Context) -> list[Host]:
    """The hosts that were named, or all of them."""
    everyone = context.inventory.everyone
    return (
        [host for host in everyone if host.name in context.request.named] if context.request.named else list(everyone)
    )


def refuse_another_cluster(context: Context) -> None:
    """Raises Refused where most masters were made for a cluster of another name than the inventory's."""
    inventory = context.inventory
    reports = context.observation.of([host.name for host in inventory.masters])
    names = Counter(name for one in reports if CLUSTER_NAME.fullmatch(name := one.settings.get("cluster", "")))
    for name, votes in names.most_common(1):
        if name != inventory.cluster.name and votes >= majority(len(inventory.masters)):
            raise Refused(
                f"these hosts are of the cluster {name}; nothing was changed",
                where=inventory.path,
                why=f"their kubeadm configuration has that name, the inventory has {inventory.cluster.name}",
                next_step=f'use the inventory of {name}; to end that cluster by this one: cluster["name"] = "{name}"',
            )


def refuse_needed_hosts(context: Context) -> None:
    """While the cluster serves, a ready API server, a load balancer and etcd's majority have to stay.

    Hosts of the group ``leaving`` count as long as they serve: they may be all that there is of it.
    """
    if not context.request.named:
        return
    hosts = hosts_to_reset(context)
    inventory, reports = context.inventory, context.observation.reports
    masters = inventory.masters + inventory.leaving
    ready = [host for host in masters if host.name in reports and reports[host.name].apiserver.ready]
    if ready and all(host in hosts for host in ready):
        raise _refused(f"no API server is ready other than {', '.join(host.name for host in ready)}")
    if ready and inventory.balancer_hosts and all(host in hosts for host in inventory.balancer_hosts):
        raise _refused("no load balancer would be left")
    states = {host.name: reports.get(host.name) for host in (*inventory.etcd, *inventory.leaving)}
    names = members_besides(
        [host.name for host in inventory.etcd], [host.name for host in inventory.leaving], reports
    )
    members = [host.name for host in hosts if host.name in names]
    if not any(report is not None and report.etcd.reads_through_quorum for report in states.values()):
        return
    if len(members) > 1:
        raise _refused(f"{', '.join(members)} are {len(members)} of {len(names)} etcd members")
    for name in members:
        verdict = may_restart_etcd(states, name)
        if not verdict.allowed:
            raise _refused(verdict.arithmetic)


def _refused(why: str) -> Refused:
    return Refused(
        "the cluster needs these hosts",
        why=why,
        next_step="reset one member at a time, or name no host to end the whole cluster",
    )


def decide_reset(context: Context) -> None:
    """One step for each host that answers, and what that means for the cluster."""
    why = "named on the command line" if context.request.named else "all hosts of the inventory"
    plan = Plan(tuple(Step(Kind.RESET, host.name, why) for host in context.reachable(hosts_to_reset(context))))
    whole = f"This ends the cluster {context.inventory.cluster.name}."
    headline = "The cluster keeps running without these hosts." if context.request.named else whole
    context.adopt(replace(context.decision, plan=plan, headline=(headline,)))


def reset_named_hosts(context: Context) -> None:
    """All of them at once."""
    directory = timestamp(context.now())
    context.result.kept_in = f"{host_paths.RESET}/{directory}"
    reset_hosts(context, context.hosts(Kind.RESET), directory)


REFUSE_ANOTHER_CLUSTER = Look("Refuse to reset another cluster", refuse_another_cluster)
REFUSE_NEEDED_HOSTS = Look("Refuse to reset what a serving cluster needs", refuse_needed_hosts)
DECIDE_RESET = Look("Decide which hosts are reset", decide_reset)
RESET_HOSTS = Phase("Reset hosts", (Kind.RESET,), reset_named_hosts)
