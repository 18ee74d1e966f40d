"""``haplane upgrade``: bring a cluster to the inventory's version, one minor version after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.request import Upgrade
from haplane.domain.progress import Progress
from haplane.domain.timetable import Took
from haplane.errors import HaplaneError
from haplane.executor import Executor
from haplane.observation.at_once import at_once
from haplane.observation.decide import DECIDE
from haplane.observation.health import VERIFY_HEALTH
from haplane.observation.membership import REFUSE_LIVING_MASTERS
from haplane.observation.observe import OBSERVE
from haplane.observation.preconditions import (
    REFUSE_CHANGED_SETTINGS,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_A_MASTER,
    WAIT_FOR_LATE_MEMBERS,
    WAIT_FOR_STARTING_API_SERVERS,
)
from haplane.observation.requirements import REFUSE_UNFIT_HOSTS
from haplane.observation.rotation import REFUSE_UNFINISHED_ROTATION
from haplane.observation.upgrade import CHOOSE_HOP, DECIDE_HOP, on_the_way
from haplane.observation.upgrade_checks import CHECK_UPGRADE
from haplane.observation.upgrade_interrupted import fit_advice
from haplane.phases.converge.apply_cluster import APPLY_CLUSTER
from haplane.phases.converge.await_nodes import AWAIT_NODES
from haplane.phases.converge.serve_kubelets import SERVE_KUBELETS
from haplane.phases.converge.start_balancers import START_BALANCERS
from haplane.phases.converge.undrain_servers import UNDRAIN_SERVERS
from haplane.phases.upgrade.control_planes import UPGRADE_CONTROL_PLANES
from haplane.phases.upgrade.members import UPGRADE_ETCD
from haplane.phases.upgrade.nodes import UPGRADE_NODES
from haplane.phases.upgrade.rollouts import AWAIT_ROLLOUTS
from haplane.phases.upgrade.snapshot import TAKE_SNAPSHOT
from haplane.phases.upgrade.stage import PREPARE, STAGE, TIDY
from haplane.workflows import engine
from haplane.workflows.converge import CONVERGE
from haplane.workflows.converge import PREPARE as PREPARE_AS_UP
from haplane.workflows.engine import CONFIRM, LOCK, LOOK_AGAIN, Confirm, Verb
from haplane.workflows.leave_out import offer
from haplane.workflows.prepare import hosts_named, over_ssh, prepare_to_converge

WAIT_UNTIL_KNOWN = (
    OBSERVE,
    REFUSE_UNFINISHED_RESTORE,
    REQUIRE_A_MASTER,
    WAIT_FOR_LATE_MEMBERS,
    WAIT_FOR_STARTING_API_SERVERS,
)
JUDGE_REPORTS = (
    REFUSE_UNFINISHED_ROTATION,
    REFUSE_CHANGED_SETTINGS,
    CHOOSE_HOP,
    REFUSE_UNFIT_HOSTS,
    REFUSE_LIVING_MASTERS,
    DECIDE_HOP,
)
"""What decides on reports alone, CHECK_UPGRADE asks hosts and programs as well."""

CHECK_ALL = at_once(
    "Look for all that keeps the cluster from being upgraded",
    "this cluster cannot be upgraded now; nothing was changed",
    *JUDGE_REPORTS,
    CHECK_UPGRADE,
)
ENTRIES = (
    *WAIT_UNTIL_KNOWN,
    CHECK_ALL,
    CONFIRM,
    LOCK,
    LOOK_AGAIN,
    TAKE_SNAPSHOT,
    STAGE,
    PREPARE,
    START_BALANCERS,
    UNDRAIN_SERVERS,
    SERVE_KUBELETS,
    UPGRADE_ETCD,
    UPGRADE_CONTROL_PLANES,
    APPLY_CLUSTER,
    AWAIT_ROLLOUTS,
    UPGRADE_NODES,
    TIDY,
    AWAIT_NODES,
    VERIFY_HEALTH,
)
"""One hop. The order between the components is kubeadm's: etcd, API servers, what exists once, then kubelets."""

LOOKS = (*WAIT_UNTIL_KNOWN, *JUDGE_REPORTS)

REST = (OBSERVE, DECIDE, CONFIRM, LOCK, LOOK_AGAIN, *PREPARE_AS_UP, *CONVERGE, AWAIT_NODES, VERIFY_HEALTH)
"""What `up` would still do once the last hop is complete: most often nothing."""


@dataclass(frozen=True, kw_only=True)
class Outcome(engine.Outcome):
    """``hops`` are the versions that the cluster went through, or would."""

    hops: tuple[str, ...] = ()


def upgrade(
    inventory: Inventory,
    *,
    confirm: Confirm,
    dry_run: bool,
    progress: Progress,
    without_snapshot: bool = False,
    without: Sequence[str] = (),
    took: Took | None = None,
    executor: Executor | None = None,
) -> Outcome:
    """Every hop in turn, then what `up` would still do, with what every entry above raises.

    The first hop's plan is agreed to for all of them: it names them. What `up` would still do is asked about.
    Workers and load balancers named in ``without`` are left alone. ``took``: how long steps took in earlier upgrades
    of this cluster. Raises BadInput for a name that is not in the inventory.
    """
    hosts_named(inventory, without)
    plain = replace(prepare_to_converge(inventory), dry_run=dry_run, without=tuple(without))
    wanted = inventory.cluster.kubernetes_version
    manifest = plain.required_manifest
    built = on_the_way(wanted, manifest.architecture)
    asked = Upgrade(wanted, manifest, plain.bundle, built=built, without_snapshot=without_snapshot, took=took or {})
    executor = executor or over_ssh(progress)
    words = ["upgrade", inventory.path, *(["--without-snapshot"] if without_snapshot else [])]
    command = engine.as_typed(*words, without=without)
    gone: list[str] = []
    warnings: list[str] = []
    while not gone or gone[-1] != wanted:
        context = Context(replace(plain, upgrade=asked), executor)
        lines = _carry_out_hop(context, command, _agreed if gone else confirm)
        route = context.request.upgrade.hops if context.request.upgrade else ()
        warnings += context.result.warnings
        if lines and not context.result.changed:  # a dry run, or not agreed to
            return _outcome(context, lines, (*gone, *route), warnings, changed=bool(gone))
        gone.append(route[0])
        if context.result.status is not None and not context.result.status.healthy:
            return _outcome(context, lines, tuple(gone), warnings, changed=context.result.changed or len(gone) > 1)
    changed = context.result.changed or len(gone) > 1
    context = Context(plain, executor)
    rest = engine.carry_out(Verb("upgrade", command, REST), context, confirm)
    warnings += context.result.warnings
    return _outcome(context, (*lines, *rest), tuple(gone), warnings, changed=changed or context.result.changed)


def _carry_out_hop(context: Context, command: str, confirm: Confirm) -> tuple[str, ...]:
    """Its plan. An error names commands that work in the versions that run."""
    try:
        return engine.carry_out(Verb("upgrade", command, ENTRIES), context, confirm)
    except HaplaneError as error:
        fit_advice(context, error)
        offer(error, context, LOOKS, command)
        raise


def _outcome(
    context: Context, lines: tuple[str, ...], hops: tuple[str, ...], warnings: list[str], *, changed: bool
) -> Outcome:
    return Outcome(
        changed=changed,
        plan=lines,
        status=context.result.status,
        skipped=dict(sorted(context.observation.unreachable.items())),
        warnings=tuple(warnings),
        hops=hops,
    )


def _agreed(lines: tuple[str, ...]) -> bool:
    """To what was agreed to with the first hop."""
    return True
