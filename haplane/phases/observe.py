"""Ask every host at once what is there, and decide from it what has to be done."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from haplane.config.model import Host, Inventory
from haplane.desired.hosts import cluster_wants, lasting_settings, request_for, wants_of
from haplane.desired.snapshots import OWN_FILES
from haplane.domain import preflight
from haplane.domain.agreement import (
    Origin,
    changed_settings,
    foreign_etcd,
    foreign_workers,
    moved_hosts,
    origin_of_identity,
    stale_etcd,
)
from haplane.domain.decide import decide
from haplane.domain.members import is_late
from haplane.domain.membership import Change
from haplane.domain.observed import Observation
from haplane.domain.plan import (
    MASTER_EVIDENCE,
    SUPER_ADMIN_CONFIG,
    Kind,
    Plan,
    Step,
    Wants,
    api_servers_are_down,
)
from haplane.domain.restoration import Journal, under_way
from haplane.domain.snapshot_plan import SnapshotWants, keys_fingerprint, snapshot_steps
from haplane.errors import HaplaneError, Refused, UnfitHosts, Unreachable
from haplane.facts.host_report import HostReportFact
from haplane.phases.membership import foresee_changes, refuse_living_masters
from haplane.phases.phase import Run, pause
from haplane.pki import paths
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.remote.session import gather

ETCD_AUTHORITY = f"{paths.ETCD_AUTHORITY}.crt"
KUBERNETES_AUTHORITY = f"{paths.KUBERNETES_AUTHORITY}.crt"
START_SECONDS = 60.0
LATE_SECONDS = 30.0
SECOND_LOOK_SECONDS = 1.0
NODE_EVIDENCE = (*MASTER_EVIDENCE, SUPER_ADMIN_CONFIG)


def observe(run: Run) -> None:
    """One composite fact per host. Raises Unreachable when no host answers."""
    asked_at = time.time()
    names = ", ".join(host.name for host in run.inventory.everyone)
    run.progress(names, "observing")
    gathered = gather(run.inventory.everyone, HostReportFact, request=request_for(run.inventory, run.manifest))
    for name, fingerprint in gathered.first_contacts.items():
        run.progress(name, f"first contact, its host key is {fingerprint}")
    run.observation = Observation(reports=gathered.values, unreachable=gathered.failed)
    run.window = preflight.Window(asked_at, time.time())
    if not gathered.values:
        raise unreachable(run)


def unreachable(run: Run) -> Unreachable:
    """Who did not answer, and why."""
    lost = run.observation.unreachable
    return Unreachable(
        f"{', '.join(sorted(lost))} cannot be reached; nothing was changed",
        why="; ".join(f"{name}: {why}" for name, why in sorted(lost.items())),
        next_step="check that they are on and that ssh to them works, then run again",
    )


def refuse_unfinished_restore(run: Run) -> None:
    """Raises Refused while a restore is under way: until it is complete only it may change what it has begun."""
    journal = restore_under_way(run)
    if journal is not None:
        raise Refused(
            f"a restore of {journal.source} is under way; nothing was changed",
            where=", ".join(name for name, report in run.observation.reports.items() if report.remains.journal),
            why=f"it began at {journal.stamp} and was interrupted",
            next_step=f"complete it: `haplane restore {run.inventory.path}`",
        )


def restore_under_way(run: Run) -> Journal | None:
    """What hosts remember of one that was not completed."""
    reports = run.observation.reports
    serving = {name: reports[name].etcd.reads_through_quorum for name in _members(run) if name in reports}
    return under_way({name: report.remains.journal for name, report in reports.items()}, serving)


def _members(run: Run) -> list[str]:
    return [host.name for host in run.inventory.etcd]


def wait_for_late_members(run: Run) -> None:
    """Members that run and have not answered yet, on a busy machine or just started: look again until they do.

    Gives up without an error after LATE_SECONDS: what they would have said is then not known.
    """
    deadline = time.monotonic() + LATE_SECONDS
    while late := [host.name for host in run.reachable(run.inventory.etcd) if is_late(run.report(host))]:
        if time.monotonic() >= deadline:
            return
        pause(run, ", ".join(late), "etcd runs and does not answer yet")
        observe(run)


def wait_for_starting_api_servers(run: Run) -> None:
    """Where etcd serves and API servers are installed but none is ready yet, one will be: look again until it is.

    Gives up without an error after START_SECONDS: what does not start by itself is for the plan to mend.
    """
    masters = [host.name for host in run.inventory.masters]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        reports = run.observation.reports
        if not any(report.etcd.reads_through_quorum for report in reports.values()):
            return
        if not api_servers_are_down(masters, reports):
            return
        pause(run, "API servers", "starting")
        observe(run)


def refuse_changed_settings(run: Run) -> None:
    """Raises Refused when the inventory wants what a cluster that exists cannot become."""
    masters = [host.name for host in run.inventory.masters]
    changed = changed_settings(lasting_settings(run.inventory), masters, run.observation.reports, MASTER_EVIDENCE)
    if changed:
        raise Refused(
            "a cluster keeps these settings as long as it exists; nothing was changed",
            where=run.inventory.path,
            why="; ".join(changed),
            next_step="write the old values back, or make a new cluster: `haplane reset INVENTORY`, then `up` again",
        )


def require_a_master(run: Run) -> None:
    """Raises Unreachable when no master answers: only they know whose cluster the other hosts belong to."""
    if not run.reachable(run.inventory.masters):
        raise unreachable(run)


def refuse_unfit_hosts(run: Run, *, keys_to_come: bool = False) -> None:
    """Raises UnfitHosts with every problem of every host.

    ``keys_to_come``: members whose keys no master holds are fit; who brings the keys compares them. A second look
    decides: hosts do not answer at the same moment, and between their answers the endpoint's address may have moved
    from one load balancer to the other.
    """
    if _unfit(run, keys_to_come):
        time.sleep(SECOND_LOOK_SECONDS)
        observe(run)
        if found := _unfit(run, keys_to_come):
            raise UnfitHosts("these hosts are not fit; nothing was changed", found)
    for name, doubt in preflight.doubts(run.observation.reports):
        run.progress(name, doubt)


def _unfit(run: Run, keys_to_come: bool) -> list[HaplaneError]:
    inventory = run.inventory
    reports = {host.name: run.report(host) for host in run.reachable(inventory.hosts)}
    found = preflight.problems(_expectations(inventory), reports, run.window, run.manifest.architecture)
    members, workers = ([host.name for host in group] for group in (inventory.etcd, inventory.workers))
    etcd_digest, digest = (held_by_masters(run, path) for path in (ETCD_AUTHORITY, KUBERNETES_AUTHORITY))
    if etcd_digest is not None or not keys_to_come:
        found += foreign_etcd(etcd_digest, members, reports, paths.ETCD_MEMBER_AUTHORITY)
    found += foreign_workers(digest, workers, reports, KUBERNETES_AUTHORITY)
    found += moved_hosts({host.name: str(host.address) for host in inventory.masters}, reports, MASTER_EVIDENCE)
    found += stale_etcd(members, reports, run.repaired)
    return found


def held_by_masters(run: Run, path: str) -> str | None:
    """The file's digest on any master; masters that disagree are refused elsewhere."""
    reports = [run.report(host) for host in run.reachable(run.inventory.masters)]
    return next((report.files[path].sha256 for report in reports if path in report.files), None)


def _expectations(inventory: Inventory) -> dict[str, preflight.Expectations]:
    cluster = inventory.cluster
    return {
        host.name: preflight.Expectations(
            address=str(host.address),
            is_node=host in inventory.nodes,
            is_balancer=host in inventory.balancer_hosts,
            tolerates_cgroups_v1=cluster.tuning.kubelet.get("failCgroupV1") is False,
            ports=preflight.ports_of(
                inventory.roles(host), apiserver_port=cluster.apiserver_port, endpoint_port=cluster.endpoint.port
            ),
            endpoint=str(cluster.endpoint),
            packages_are_local=cluster.package_directory is not None,
            takes_snapshots=cluster.snapshots is not None and host in inventory.etcd,
        )
        for host in inventory.hosts
    }


def decide_what_to_do(run: Run) -> None:
    """From the observation to the plan. A new cluster's identity is made here, in memory."""
    refuse_living_masters(run)
    decide_steps(run, foresee_changes(run, observe))


def decide_steps(run: Run, changes: Sequence[Change] = ()) -> None:
    """The plan, whatever became of members' data. While masters hold no identity ``run.identity`` is theirs to be."""
    reports = run.observation.reports
    masters = [host.name for host in run.inventory.masters]
    settled = [path for path in IDENTITY_PATHS if run.restoration is None or path != paths.ENCRYPTION]
    given = run.restoration is not None and run.identity is not None
    origin = origin_of_identity(masters, reports, settled, NODE_EVIDENCE, given=given)
    if origin is Origin.NEW:
        left_out = run.restoration.without if run.restoration else ()
        if set(run.observation.unreachable) - set(left_out):
            raise unreachable(run)
        run.identity = run.identity or ClusterIdentity.generate(run.inventory.cluster.name, run.now())
        run.etcd_authority = run.identity.etcd.certificate
    else:
        run.etcd_authority = _etcd_authority(run)
    for host in run.reachable(run.inventory.hosts):
        wants = wants_of(
            run.inventory,
            host,
            run.report(host),
            run.manifest,
            etcd_authority=run.etcd_authority,
            now=run.now(),
            s3_files=run.s3_files,
        )
        if origin is Origin.NEW:  # leftovers of an identity that never served are replaced whole
            wants = replace(wants, keys=dict.fromkeys(wants.identity, "a new cluster"))
        if _signs_for_another_cluster(run, host, wants):
            wants = replace(wants, keys={**wants.keys, paths.MEMBER_SIGNING: "another cluster's"})
        run.wants[host.name] = wants
    decided = decide(cluster_wants(run.inventory, run.manifest), run.wants, run.observation, changes)
    run.plan = Plan((*decided.steps, *_snapshot_steps(run)))
    if run.observation.unreachable and run.plan.of(Kind.FORM_ETCD):
        raise unreachable(run)


def _signs_for_another_cluster(run: Run, host: Host, wants: Wants) -> bool:
    """Whether the member's copy of the signing key is not the masters'."""
    copy = run.report(host).files.get(paths.MEMBER_SIGNING)
    if copy is None or paths.MEMBER_SIGNING not in wants.identity:
        return False
    return copy.sha256 != identity_digests(run).get(f"{paths.SIGNING}.key")


def _snapshot_steps(run: Run) -> list[Step]:
    """None in a run that has not packed the agent: scheduling is not its business."""
    if run.inventory.cluster.snapshots is not None and run.agent is None:
        return []
    snapshots, members = run.inventory.cluster.snapshots, [host.name for host in run.inventory.etcd]
    wanted = None
    if snapshots is not None and run.agent is not None:
        wanted = SnapshotWants(
            recipients=snapshots.recipients,
            agent=PurePosixPath(run.agent.directory).name,
            fingerprint=keys_fingerprint(identity_digests(run)),
            has_bucket=snapshots.s3 is not None,
        )
    return snapshot_steps(wanted, members, run.wants, run.observation.reports, OWN_FILES)


def identity_digests(run: Run) -> dict[str, str]:
    """SHA-256 by path of everything that makes the cluster this cluster, as the masters have it or are about to."""
    held = {path: digest for path in IDENTITY_PATHS if (digest := held_by_masters(run, path)) is not None}
    if run.identity is None:
        return held
    made = {path: hashlib.sha256(content).hexdigest() for path, content in run.identity.to_files().items()}
    return held if held.get(ETCD_AUTHORITY) == made[ETCD_AUTHORITY] and len(held) == len(made) else made


def _etcd_authority(run: Run) -> bytes:
    for host in run.reachable(run.inventory.masters):
        pem = run.report(host).certificates.get(ETCD_AUTHORITY)
        if pem:
            return pem.encode()
    raise HaplaneError("no master shows etcd's authority", next_step="run again with --debug")
