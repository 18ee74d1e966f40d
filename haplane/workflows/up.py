"""``haplane up``: converge the hosts to the inventory. The tuple below is the tool."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from haplane.bundle.manifest import default_directory, load_manifest
from haplane.config.model import Inventory
from haplane.desired.manifests import cluster_manifest
from haplane.desired.snapshots import read_s3_files
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.errors import BadInput, ExitCode
from haplane.phases.apply_cluster import APPLY_CLUSTER, MARK_MASTERS
from haplane.phases.change_members import CHANGE_MEMBERS
from haplane.phases.confirm_health import await_nodes, confirm_health, judge, settled
from haplane.phases.forget_nodes import FORGET_NODES
from haplane.phases.initialise_masters import INITIALISE_MASTERS, START_KUBELETS, TIDY_MASTERS
from haplane.phases.join_workers import JOIN_WORKERS, PRINT_JOIN_COMMAND
from haplane.phases.leave import LEAVE
from haplane.phases.observe import (
    decide_what_to_do,
    observe,
    refuse_changed_settings,
    refuse_unfinished_restore,
    refuse_unfit_hosts,
    require_a_master,
    wait_for_late_members,
    wait_for_starting_api_servers,
)
from haplane.phases.phase import Run
from haplane.phases.prepare_hosts import PREPARE_HOSTS
from haplane.phases.push_bundle import FINISH_PUSHES, PUSH_BUNDLE, START_CONTAINER_RUNTIME
from haplane.phases.rolling import CONFIGURE_KUBELETS, PUT_BACK_SERVERS, RESTART_CONTROL_PLANES, RESTART_ETCD
from haplane.phases.schedule_snapshots import (
    CHECK_BUCKET,
    INSTALL_AGENTS,
    SEAL_KEYS,
    START_TIMERS,
    UNSCHEDULE,
    check_bucket,
    refuse_unusable_snapshots,
    seems_in_trouble,
)
from haplane.phases.snapshot_places import known_signing_key
from haplane.phases.start_balancers import START_BALANCERS
from haplane.phases.start_etcd import FORM_ETCD, START_ETCD
from haplane.remote.lock import locked
from haplane.remote.packages import packages_in
from haplane.snapshots.packaging import agent_archive

PHASES = (
    PUSH_BUNDLE,
    PREPARE_HOSTS,
    START_BALANCERS,
    START_CONTAINER_RUNTIME,
    FORM_ETCD,
    START_ETCD,
    CHANGE_MEMBERS,
    FORGET_NODES,
    INITIALISE_MASTERS,
    START_KUBELETS,
    PUT_BACK_SERVERS,
    RESTART_ETCD,
    RESTART_CONTROL_PLANES,
    APPLY_CLUSTER,
    TIDY_MASTERS,
    CONFIGURE_KUBELETS,
    MARK_MASTERS,
    JOIN_WORKERS,
    LEAVE,
    UNSCHEDULE,
    SEAL_KEYS,
    INSTALL_AGENTS,
    START_TIMERS,
    CHECK_BUCKET,
    FINISH_PUSHES,
    PRINT_JOIN_COMMAND,
)


@dataclass(frozen=True)
class Outcome:
    """How it ended. ``plan`` is what was shown; ``status`` is None when nothing was done.

    ``complaints`` are what was tried and does not work, ``signing_key`` the one the inventory does not have yet.
    """

    changed: bool
    plan: tuple[str, ...]
    status: Status | None
    skipped: tuple[str, ...]
    join_command: str | None
    complaints: tuple[str, ...] = ()
    signing_key: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """6 when hosts were skipped, something does not work, or the cluster is not healthy afterwards."""
        complete = not self.skipped and not self.complaints and (self.status is None or self.status.healthy)
        return ExitCode.DONE if complete else ExitCode.INCOMPLETE


def up(
    inventory: Inventory,
    *,
    confirm: Callable[[tuple[str, ...]], bool],
    dry_run: bool,
    progress: Progress,
    repaired: str | None = None,
) -> Outcome:
    """Observe, decide, show and ask (``confirm`` gets the plan's lines), lock, look again, act, verify.

    ``repaired`` is a host whose etcd data are given up if they are damaged. When the hosts have changed by the time
    the lock is held, the new plan is shown and asked about as well.
    """
    run = prepare(inventory, progress)
    run.s3_files = read_s3_files(inventory)
    run.agent = agent_archive() if inventory.cluster.snapshots is not None else None
    run.repaired = repaired
    verb = f"haplane node repair {inventory.path} {repaired}" if repaired else f"haplane up {inventory.path}"
    lines = plan(run)
    skipped = tuple(sorted(run.observation.unreachable))
    if not lines:
        if not dry_run and any(seems_in_trouble(run, host) for host in run.reachable(inventory.etcd)):
            check_bucket(run)
        status = judge(run) if dry_run else settled(run)
        return finished(inventory, run, lines, status, changed=False)
    if dry_run or not confirm(lines):
        return Outcome(changed=False, plan=lines, status=None, skipped=skipped, join_command=None)
    with locked(inventory, run.reachable(inventory.everyone), verb, progress) as lock:
        run.inventory = lock.inventory
        shown, lines = lines, plan(run)
        if not lines or (lines != shown and not confirm(lines)):
            found = None if lines else settled(run)
            return Outcome(changed=False, plan=lines, status=found, skipped=skipped, join_command=None)
        for phase in PHASES:
            if phase.should_run(run):
                lock.check()
                progress("up", phase.title)
                with lock.breaking_off() if phase.breakable else nullcontext():
                    phase.carry_out(run)
        with lock.breaking_off():
            await_nodes(run)
        status = confirm_health(run)
    return finished(inventory, run, lines, status, changed=True)


def finished(inventory: Inventory, run: Run, lines: tuple[str, ...], status: Status, *, changed: bool) -> Outcome:
    """What there is to say at the end, when the lock is given back."""
    snapshots = inventory.cluster.snapshots
    return Outcome(
        changed=changed,
        plan=lines,
        status=status,
        skipped=tuple(sorted(run.observation.unreachable)),
        join_command=run.join_command,
        complaints=tuple(run.complaints),
        signing_key=known_signing_key(inventory) if snapshots is not None and snapshots.signing_key is None else None,
    )


def plan(run: Run) -> tuple[str, ...]:
    """What has to be done, as a person reads it. Raises UnfitHosts and Unreachable."""
    observe(run)
    refuse_unfinished_restore(run)
    refuse_changed_settings(run)
    wait_for_late_members(run)
    wait_for_starting_api_servers(run)
    require_a_master(run)
    refuse_unfit_hosts(run)
    refuse_unusable_snapshots(run)
    decide_what_to_do(run)
    return tuple(line for phase in PHASES for line in phase.describe(run))


def prepare(inventory: Inventory, progress: Progress) -> Run:
    """A run with its bundle. Raises BadInput, before any host is contacted, for a wrong file of the user's."""
    cluster = inventory.cluster
    directory = Path(cluster.bundle).expanduser() if cluster.bundle else default_directory(cluster.kubernetes_version)
    manifest = load_manifest(directory)
    if manifest.kubernetes_version != cluster.kubernetes_version:
        raise BadInput(
            "the bundle is of another Kubernetes version",
            where=f"{directory}: {manifest.kubernetes_version}, the inventory wants {cluster.kubernetes_version}",
            next_step=f"haplane bundle build --kubernetes-version {cluster.kubernetes_version}",
        )
    if manifest.source == "modules" and cluster.proxy_mode != "nftables":
        raise BadInput(
            f"this bundle's kube-proxy has no tools for the mode {cluster.proxy_mode}",
            where=f"{inventory.path}: cluster.proxy_mode; {directory}",
            why="images built from Go modules hold nft and neither iptables nor ipset",
            next_step='set it to "nftables", or use a bundle of the official images',
        )
    cluster_manifest(inventory, manifest)  # the user's own must be readable
    if cluster.package_directory is not None:
        packages_in(cluster.package_directory)
    return Run(inventory=inventory, manifest=manifest, bundle=directory, progress=progress)
