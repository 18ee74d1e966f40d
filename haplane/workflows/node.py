"""``haplane node drain|uncordon|reboot|patch|remove``: nodes taken out of service and brought back, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.request import NodeRequest
from haplane.context.result import Patched
from haplane.domain.drain.summary import NodeCost
from haplane.domain.progress import Progress
from haplane.errors import BadInput
from haplane.executor import Executor
from haplane.observation.decide import DECIDE
from haplane.observation.health import VERIFY_HEALTH
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import (
    REFUSE_ANOTHER_MACHINE,
    REFUSE_ANOTHER_VERSION,
    REFUSE_CHANGED_SETTINGS,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_A_MASTER,
    WAIT_FOR_LATE_MEMBERS,
    WAIT_FOR_STARTING_API_SERVERS,
)
from haplane.observation.requirements import REFUSE_UNFIT_HOSTS
from haplane.observation.rotation import REFUSE_UNFINISHED_ROTATION
from haplane.phases.converge.await_nodes import AWAIT_NODES
from haplane.phases.converge.change_members import CHANGE_MEMBERS
from haplane.phases.converge.start_etcd import START_ETCD
from haplane.phases.node.drain import DECIDE_DRAIN, DRAIN
from haplane.phases.node.patch import DECIDE_PATCH, PATCH
from haplane.phases.node.reboot import DECIDE_REBOOT, REBOOT
from haplane.phases.node.remove import DECIDE_REMOVE, REMOVE_WORKERS, without
from haplane.phases.node.uncordon import DECIDE_UNCORDON, UNCORDON
from haplane.workflows import engine
from haplane.workflows.converge import CONVERGE, PREPARE
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Entry, Verb
from haplane.workflows.prepare import hosts_named, over_ssh, prepare, prepare_to_converge

DRAIN_ENTRIES = (
    OBSERVE,
    REFUSE_UNFINISHED_RESTORE,
    DECIDE_DRAIN,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    DRAIN,
)
UNCORDON_ENTRIES = (
    OBSERVE,
    DECIDE_UNCORDON,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    UNCORDON,
)
REBOOT_ENTRIES = (
    OBSERVE,
    REFUSE_ANOTHER_MACHINE,
    REFUSE_UNFINISHED_RESTORE,
    DECIDE_REBOOT,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    REBOOT,
    VERIFY_HEALTH,
)
PATCH_ENTRIES = (
    OBSERVE,
    REFUSE_ANOTHER_MACHINE,
    REFUSE_UNFINISHED_RESTORE,
    DECIDE_PATCH,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    PATCH,
    VERIFY_HEALTH,
)
REMOVE_WORKER_ENTRIES = (
    OBSERVE,
    REFUSE_ANOTHER_MACHINE,
    REFUSE_UNFINISHED_RESTORE,
    DECIDE_REMOVE,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    DRAIN,
    REMOVE_WORKERS,
)
REMOVE_MASTER_ENTRIES = (
    OBSERVE,
    REFUSE_ANOTHER_MACHINE,
    REFUSE_UNFINISHED_RESTORE,
    REFUSE_UNFINISHED_ROTATION,
    REFUSE_CHANGED_SETTINGS,
    REFUSE_ANOTHER_VERSION,
    WAIT_FOR_LATE_MEMBERS,
    WAIT_FOR_STARTING_API_SERVERS,
    REQUIRE_A_MASTER,
    REFUSE_UNFIT_HOSTS,
    DECIDE,
    DECIDE_REMOVE,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    DRAIN,
    REMOVE_WORKERS,
    *PREPARE,
    START_ETCD,
    CHANGE_MEMBERS,
    *CONVERGE,
    AWAIT_NODES,
    VERIFY_HEALTH,
)
VERBS: dict[str, tuple[Entry, ...]] = {
    "drain": DRAIN_ENTRIES,
    "uncordon": UNCORDON_ENTRIES,
    "reboot": REBOOT_ENTRIES,
    "patch": PATCH_ENTRIES,
}
REBOOTS = ("reboot", "patch")


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``costs`` are the lists that were shown; ``seconds`` by host is for how long each was worked on.

    ``patched`` by host is what an upgrade of its packages changed.
    """

    costs: tuple[NodeCost, ...] = ()
    seconds: dict[str, float]
    patched: dict[str, Patched]


def node(
    inventory: Inventory,
    verb: str,
    names: Sequence[str],
    asked: NodeRequest,
    *,
    confirm: Confirm,
    dry_run: bool = False,
    progress: Progress,
    executor: Executor | None = None,
) -> Outcome:
    """``verb`` is ``remove`` or one of VERBS; ``names`` are hosts, all of them where there is none.

    A host of the group ``leaving`` is drained and uncordoned, nothing else: `up` does the rest. Raises BadInput for
    it then and for a name that is not in the inventory, and Refused for what must not be.
    """
    hosts_named(inventory, names)
    if verb not in ("drain", "uncordon"):
        _refuse_leaving(inventory, names)
    else:
        _refuse_without_pods(inventory, names)
    if verb == "remove":
        left = without(inventory, tuple(names))
        leave_etcd = any(host.name in names for host in left.leaving)
        entries: tuple[Entry, ...] = REMOVE_MASTER_ENTRIES if leave_etcd else REMOVE_WORKER_ENTRIES
        prepared = prepare_to_converge(left)
    else:
        entries, prepared = VERBS[verb], prepare(inventory)
    asked = replace(asked, reboots=verb in REBOOTS, leaves=verb == "remove")
    request = replace(prepared, named=tuple(names), dry_run=dry_run, node=asked)
    context = Context(request, executor or over_ssh(progress))
    command = engine.as_typed("node", verb, inventory.path, *(names or ["--all"]))
    lines = engine.carry_out(Verb(f"node {verb}", command, entries), context, confirm)
    return Outcome(
        changed=context.result.changed,
        plan=lines,
        status=context.result.status,
        warnings=tuple(context.result.warnings),
        costs=context.result.costs,
        seconds=context.result.seconds,
        patched=context.result.patched,
    )


def _refuse_without_pods(inventory: Inventory, names: Sequence[str]) -> None:
    nodes = [host.name for host in inventory.nodes + inventory.leaving]
    if others := [name for name in names if name not in nodes]:
        raise BadInput(
            f"{', '.join(others)}: not a node of the cluster, so there is nothing to drain or uncordon",
            where=inventory.path,
            why="only masters and workers run pods",
            next_step=f"use one of {', '.join(nodes)}",
        )


def _refuse_leaving(inventory: Inventory, names: Sequence[str]) -> None:
    if leaving := [host.name for host in inventory.leaving if host.name in names]:
        raise BadInput(
            f"{', '.join(leaving)}: in the group leaving, no longer a part of the cluster",
            where=inventory.path,
            next_step=f"`haplane up {inventory.path}` takes it out; or move it back to its group",
        )
