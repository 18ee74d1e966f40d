"""``haplane restore``: a cluster from a snapshot or from what members still hold; or one interrupted, completed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from haplane.config.model import Inventory
from haplane.desired.snapshots import read_s3_files
from haplane.domain.progress import Progress
from haplane.domain.restoration import Journal
from haplane.domain.status import Status
from haplane.errors import ExitCode, Refused
from haplane.phases.apply_cluster import APPLY_CLUSTER, MARK_MASTERS
from haplane.phases.choose_source import Choice, choose_source
from haplane.phases.confirm_health import await_nodes, confirm_health
from haplane.phases.find_source import Wish
from haplane.phases.forget_nodes import FORGET_NODES
from haplane.phases.initialise_masters import INITIALISE_MASTERS, START_KUBELETS, TIDY_MASTERS
from haplane.phases.join_workers import JOIN_WORKERS
from haplane.phases.observe import (
    decide_steps,
    observe,
    refuse_changed_settings,
    refuse_unfit_hosts,
    require_a_master,
    restore_under_way,
)
from haplane.phases.phase import Run
from haplane.phases.prepare_hosts import PREPARE_HOSTS
from haplane.phases.push_bundle import FINISH_PUSHES, PUSH_BUNDLE, START_CONTAINER_RUNTIME
from haplane.phases.restore_data import (
    FORGET,
    FORGET_STALE_NODES,
    LOOK_AGAIN,
    MERGE_ENCRYPTION_KEYS,
    REBUILD_DATA,
    REMEMBER,
    RESUME_SERVING,
    STOP_SERVING,
    SWITCH_DATA,
    restoration,
)
from haplane.phases.rolling import CONFIGURE_KUBELETS, PUT_BACK_SERVERS, RESTART_CONTROL_PLANES
from haplane.phases.schedule_snapshots import CHECK_BUCKET, INSTALL_AGENTS, SEAL_KEYS, START_TIMERS
from haplane.phases.start_balancers import START_BALANCERS
from haplane.remote.lock import locked
from haplane.snapshots.packaging import agent_archive
from haplane.sources.tools import etcd_tools
from haplane.workflows.up import prepare

PHASES = (
    REMEMBER,
    PUSH_BUNDLE,
    PREPARE_HOSTS,
    START_BALANCERS,
    START_CONTAINER_RUNTIME,
    MERGE_ENCRYPTION_KEYS,
    REBUILD_DATA,
    STOP_SERVING,
    SWITCH_DATA,
    RESUME_SERVING,
    LOOK_AGAIN,
    FORGET_NODES,
    INITIALISE_MASTERS,
    START_KUBELETS,
    PUT_BACK_SERVERS,
    RESTART_CONTROL_PLANES,
    APPLY_CLUSTER,
    TIDY_MASTERS,
    CONFIGURE_KUBELETS,
    MARK_MASTERS,
    FORGET_STALE_NODES,
    JOIN_WORKERS,
    SEAL_KEYS,
    INSTALL_AGENTS,
    START_TIMERS,
    CHECK_BUCKET,
    FINISH_PUSHES,
    FORGET,
)


@dataclass(frozen=True)
class Outcome:
    """How it ended. ``outage_seconds`` is from the first API server stopped to all started again.

    ``status`` is None when nothing was done; ``revision`` is the one that the cluster went on from.
    """

    plan: tuple[str, ...]
    status: Status | None = None
    source: str | None = None
    revision_before: int | None = None
    revision: int | None = None
    uid: str | None = None
    outage_seconds: float | None = None
    aside: str | None = None
    problems: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """6 when a host was left out, or the cluster is not what was restored, or not healthy."""
        complete = not self.skipped and not self.problems and (self.status is None or self.status.healthy)
        return ExitCode.DONE if complete else ExitCode.INCOMPLETE


def restore(
    inventory: Inventory, wish: Wish, *, confirm: Callable[[tuple[str, ...]], bool], progress: Progress
) -> Outcome:
    """Choose and verify the source, show what it means and ask, lock, replace the data, then do what `up` would.

    ``confirm`` gets the lines of the plan. Raises Refused, with nothing changed, when less would do or when the
    source is not fit.
    """
    run = prepare(inventory, progress)
    run.s3_files = read_s3_files(inventory)
    run.agent = agent_archive() if inventory.cluster.snapshots is not None else None
    look(run)
    with etcd_tools(run.bundle, run.manifest) as tools:
        choice = choose_source(run, wish, tools)
        run.restoration = choice.restoration
        lines = (*choice.lines, *plan(run))
        before = highest_revision(run)
        if not confirm(lines):
            return Outcome(plan=lines)
        command = f"haplane restore {inventory.path}"
        with locked(inventory, run.reachable(inventory.hosts), command, progress) as lock:
            run.inventory = lock.inventory
            refuse_outdated(run, choice)
            outage = carry_out(run, lock.check)
            await_nodes(run)
            status = confirm_health(run)
    journal = restoration(run).journal
    outcome = Outcome(
        plan=lines,
        status=status,
        source=journal.source,
        revision_before=before,
        revision=journal.revision + journal.bump,
        uid=status.cluster.uid,
        outage_seconds=outage,
        aside=journal.aside,
        problems=tuple(run.complaints),
        skipped=tuple(sorted({*run.observation.unreachable, *wish.without})),
    )
    return replace(outcome, problems=(*outcome.problems, *disproofs(outcome, journal)))


def look(run: Run) -> None:
    """Observe, and refuse what no restore can mend."""
    observe(run)
    require_a_master(run)
    refuse_changed_settings(run)
    refuse_unfit_hosts(run, keys_to_come=True)


def plan(run: Run) -> tuple[str, ...]:
    """What has to be done besides the data, as a person reads it."""
    decide_steps(run)
    return tuple(line for phase in PHASES for line in phase.describe(run))


def refuse_outdated(run: Run, choice: Choice) -> None:
    """Look again under the lock. Raises Refused when another restore came or went meanwhile."""
    before = _stamp(restore_under_way(run))
    look(run)
    if _stamp(restore_under_way(run)) != before:
        raise Refused(
            "another restore began or ended after the plan was shown; nothing was changed by this run",
            next_step="run the same command again and look at the new plan",
        )
    run.restoration = choice.restoration
    decide_steps(run)


def _stamp(journal: Journal | None) -> str | None:
    return f"{journal.stamp} {journal.stage}" if journal else None


def carry_out(run: Run, check_lock: Callable[[], None]) -> float | None:
    """All phases; the seconds from stopping API servers to having them back, None where none was ready before."""
    stopped_at = outage = None
    serves = any(report.apiserver.ready for report in run.observation.reports.values())
    for phase in PHASES:
        if not phase.should_run(run):
            continue
        check_lock()
        run.progress("restore", phase.title)
        if phase is STOP_SERVING and serves:
            stopped_at = time.monotonic()
        phase.carry_out(run)
        if phase is RESUME_SERVING and stopped_at is not None:
            outage = round(time.monotonic() - stopped_at, 1)
    return outage


def highest_revision(run: Run) -> int | None:
    """The highest revision that a member told."""
    told = [report.etcd.status for report in run.observation.reports.values()]
    return max((status.header.revision for status in told if status is not None), default=None)


def disproofs(outcome: Outcome, journal: Journal) -> list[str]:
    """What shows that the cluster is not the one that was restored, or that a client could see time go backwards."""
    found = []
    if outcome.uid != journal.uid:
        found.append(f"the cluster's UID is {outcome.uid}, the snapshot's is {journal.uid}")
    members = outcome.status.etcd.members if outcome.status else ()
    reached = max((member.revision or 0 for member in members), default=0)
    if reached < journal.revision + journal.bump:
        found.append(f"etcd is at revision {reached}, not beyond {journal.revision + journal.bump}")
    return found
