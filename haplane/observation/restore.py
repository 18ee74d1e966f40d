"""The restore that a run is: how far it is, and which hosts are due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain import host_paths
from haplane.domain.plan import Kind, Plan
from haplane.domain.restoration import STAGES, Stage
from haplane.errors import HaplaneError
from haplane.observation.decide import decide_steps
from haplane.recovery.choice import Restoration

LEFT_TO_UP = (
    Kind.FORM_ETCD,
    Kind.START_ETCD,
    Kind.ETCD,
    Kind.SPACE,
    Kind.APPROVE,
    Kind.DECOMMISSION,
    Kind.UNSCHEDULE,
)
"""While data is replaced only the restore itself forms, starts or restarts members, and no host is decommissioned."""


def up_to(stage: Stage) -> Callable[[Context], bool]:
    """Whether the restore is not further than that, or a member still lacks its data."""

    def is_due(context: Context) -> bool:
        reached = restoration(context).journal.stage
        return STAGES.index(reached) <= STAGES.index(stage) or bool(late_members(context))

    return is_due


def restoration(context: Context) -> Restoration:
    """The restore that this run is. Raises HaplaneError in a run of another verb."""
    if context.decision.restoration is None:
        raise HaplaneError("this run restores nothing", next_step="please report it")
    return context.decision.restoration


def hosts_of(context: Context) -> list[Host]:
    """Masters, members and leaving hosts that answer and are not left out."""
    inventory = context.inventory
    chosen = {host.name: host for host in inventory.masters + inventory.etcd + inventory.leaving}
    return [
        host for host in context.reachable(tuple(chosen.values())) if host.name not in restoration(context).without
    ]


def members_due(context: Context) -> list[Host]:
    """Members whose data is to be replaced; never twice in one restore."""
    journal = restoration(context).journal
    return [host for host in hosts_of(context) if host in context.inventory.etcd and host.name not in journal.members]


def late_members(context: Context) -> list[Host]:
    """Members that were off while the others got their data."""
    return members_due(context) if restoration(context).journal.stage == "serving" else []


def masters_due(context: Context) -> list[Host]:
    """Masters whose API server is to be stopped: after the restore serves, only those beside a late member."""
    masters = [host for host in hosts_of(context) if host in context.inventory.masters]
    if restoration(context).journal.stage != "serving":
        return [
            *masters,
            *(
                host
                for host in leaving_members(context)
                if host_paths.KUBELET_KUBECONFIG in context.report(host).files
            ),
        ]
    return [host for host in masters if host in late_members(context)]


def leaving_members(context: Context) -> list[Host]:
    """Leaving hosts with etcd's data: it is moved away for good, or they would serve the old data beside the new."""
    leaving = [host for host in hosts_of(context) if host in context.inventory.leaving]
    return [host for host in leaving if context.report(host).etcd.has_data or context.report(host).etcd.bootstrapped]


def decide_restore(context: Context) -> None:
    """The plan, less what a restore leaves to the next `up`."""
    decide_steps(context)
    plan = Plan(tuple(step for step in context.plan.steps if step.kind not in LEFT_TO_UP))
    context.adopt(replace(context.decision, plan=plan))


DECIDE_RESTORE = Look("Plan changes besides the data", decide_restore)
