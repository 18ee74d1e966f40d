"""What a verb waits for or refuses before it decides anything."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.desired.certificates import expired_paths
from haplane.desired.hosts import lasting_settings
from haplane.domain import assessment, host_paths, versions
from haplane.domain.changed_settings import changed_settings
from haplane.domain.members import is_late
from haplane.domain.misled import misled
from haplane.domain.observed import LeftOut
from haplane.domain.plan import MASTER_EVIDENCE
from haplane.domain.problem import on
from haplane.domain.restoration import Journal
from haplane.domain.steps.cluster import (
    api_servers_are_down,
    api_servers_report_nothing,
    forbidding,
    restoring_administrators,
)
from haplane.errors import Refused
from haplane.observation.observe import leave_out, unreachable
from haplane.observation.waiting import Obstacle, look_until_clear

LATE_MEMBERS_SECONDS = 30.0
"""A member that was just started, or runs on a busy host, answers within that; a hung one never does."""

API_SERVERS_START_SECONDS = 60.0
"""A kubelet starts an API server within that; one that has failed before is tried again only every 5 min."""


CORRECT = f"correct {host_paths.KUBEADM_CONFIG_YAML} there"


def refuse_another_machine(context: Context) -> None:
    """Raises Refused for a host that ssh does not get to: what is meant for it would be done to another one."""
    inventory, named = context.inventory, context.request.named
    addresses = {host.name: str(host.address) for host in inventory.everyone}
    for name, other in misled(addresses, context.observation.reports).items():
        if not named or name in named:
            ssh = inventory.host(name).ssh
            raise Refused(
                f"{name} leads to {other}; nothing was changed",
                where=str(ssh),
                why=f"the host that ssh reaches there has the address {addresses[other]}, not {addresses[name]}",
                next_step=f"`ssh {ssh} ip -4 address show` shows where it gets: correct its ssh_hostname or its "
                f"address in {inventory.path}, or what that name resolves to",
            )


def refuse_unfinished_restore(context: Context) -> None:
    """Raises Refused while a restore is under way: until it is complete only it may change what it has begun."""
    journal = restore_under_way(context)
    reporting = [name for name, report in context.observation.reports.items() if report.leftovers.journal]
    if journal is None and reporting:
        names = ", ".join(reporting)
        context.progress(names, "reports an unfinished restore that no majority of the hosts knows: ignored")
    if journal is not None:
        raise Refused(
            f"a restore of {journal.source} is under way; nothing was changed",
            where=", ".join(reporting),
            why=f"it began at {journal.timestamp} and was interrupted",
            next_step=f"complete it: `haplane restore {context.inventory.path}`",
        )


def restore_under_way(context: Context) -> Journal | None:
    """The record, on a majority of the hosts, of one that was not completed."""
    inventory = context.inventory
    members, others = (
        [host.name for host in group] for group in (inventory.etcd, inventory.leaving + inventory.masters)
    )
    return assessment.restore_under_way(members, others, context.observation.reports)


def wait_for_late_members(context: Context) -> None:
    """What members that stay late would have reported is then not known."""

    def late() -> Obstacle | None:
        names = [host.name for host in context.reachable(context.inventory.etcd) if _is_late(context, host)]
        return Obstacle(", ".join(names), "etcd runs and does not answer yet") if names else None

    look_until_clear(context, late, LATE_MEMBERS_SECONDS)


def _is_late(context: Context, host: Host) -> bool:
    """One whose certificates have expired will not answer, however long it is waited for."""
    return is_late(context.report(host)) and not expired_paths(context.report(host), context.view.seen_at)


def wait_for_starting_api_servers(context: Context) -> None:
    """Where etcd serves and API servers are installed but none is ready yet, one will be, and then it will tell.

    Not where certificates have expired. What does not start by itself is for the plan to fix.
    """
    masters = [host.name for host in context.inventory.masters]

    def starting() -> Obstacle | None:
        reports = context.observation.reports
        etcd_serves = any(report.etcd.reads_through_quorum for report in reports.values())
        expired = any(
            expired_paths(context.report(host), context.view.seen_at)
            for host in context.reachable(context.inventory.masters)
        )
        if not etcd_serves or expired:
            return None
        if api_servers_are_down(masters, reports):
            return Obstacle("API servers", "none is ready yet")
        if api_servers_report_nothing(masters, reports):
            if forbids := forbidding(masters, reports):
                raise _without_rights(*forbids)
            return Obstacle("API servers", "ready, but none has reported the nodes and objects yet")
        return None

    look_until_clear(context, starting, API_SERVERS_START_SECONDS)


def _without_rights(name: str, answer: str) -> Refused:
    return Refused(
        "the API servers forbid administrators to look; nothing was changed",
        where=f"{name}: {host_paths.ADMIN_KUBECONFIG}",
        why=f"{answer}: the ClusterRoleBinding kubeadm:cluster-admins or its ClusterRole is not what kubeadm makes",
        next_step=f"{on(name, restoring_administrators(answer))}, then run again",
    )


def refuse_changed_settings(context: Context) -> None:
    """Raises Refused when the inventory wants what a cluster that exists cannot become.

    Masters that most others contradict are left out, unless they are what this run is about.
    """
    masters = _taking_part(context)
    wanted = lasting_settings(context.inventory)
    found = changed_settings(wanted, masters, context.observation.reports, MASTER_EVIDENCE)
    changed = {name: each for name, each in found.items() if each}
    if 2 * len(changed) < len(found) and not {context.request.repaired, *context.request.named} & changed.keys():
        leave_out(context, {name: LeftOut(_contradicted(each), CORRECT) for name, each in changed.items()})
    elif changed:
        raise Refused(
            "a cluster keeps these settings as long as it exists; nothing was changed",
            where=f"{context.inventory.path}; {', '.join(changed)}",
            why="; ".join(dict.fromkeys(one for each in changed.values() for one in each)),
            next_step="write the old values back, or make a new cluster: `haplane reset INVENTORY`, then `up` again",
        )


def _taking_part(context: Context) -> list[str]:
    """Masters, but for those that a restore leaves out."""
    return [host.name for host in context.inventory.masters if host.name not in context.request.restore.without]


def _contradicted(changed: Sequence[str]) -> str:
    return f"most other masters contradict it: {'; '.join(changed)}"


def refuse_another_version(context: Context) -> None:
    """Raises Refused when the cluster runs in another version than the inventory wants: that takes an upgrade."""
    masters = _taking_part(context)
    reports, kubernetes = context.observation.reports, context.observation.kubernetes()
    running = versions.running_versions(masters, reports, kubernetes.nodes if kubernetes else ())
    versions.refuse_another_version(running, context.inventory.cluster.kubernetes_version, context.inventory.path)
    statuses = {host.name: context.report(host).etcd.status for host in context.reachable(context.inventory.etcd)}
    members = {name: status.version for name, status in statuses.items() if status is not None}
    versions.refuse_another_etcd(members, context.manifest.etcd_version, context.inventory.path)


def require_a_master(context: Context) -> None:
    """Raises Unreachable when no master answers: only they know whose cluster the other hosts belong to."""
    if not context.reachable(context.inventory.masters):
        raise unreachable(context)


REFUSE_ANOTHER_MACHINE = Look("Refuse hosts whose names lead to others", refuse_another_machine)
REFUSE_UNFINISHED_RESTORE = Look("Refuse while a restore is unfinished", refuse_unfinished_restore)
REFUSE_ANOTHER_VERSION = Look("Refuse another version than the one that runs", refuse_another_version)
REFUSE_CHANGED_SETTINGS = Look("Refuse settings that a cluster cannot change", refuse_changed_settings)
WAIT_FOR_LATE_MEMBERS = Look("Wait for etcd members that run and do not answer yet", wait_for_late_members)
WAIT_FOR_STARTING_API_SERVERS = Look("Wait for API servers that are starting", wait_for_starting_api_servers)
REQUIRE_A_MASTER = Look("Refuse while no master is reachable", require_a_master)
