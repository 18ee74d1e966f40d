"""etcd's data on all members replaced by a snapshot's, at once; nobody is first here either.

Everything that takes long is done before anything stops: the snapshot is sent and rebuilt into data directories
beside the old ones. What is an outage is two renames between stopping and starting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from haplane.config.model import Host
from haplane.deploys import restore as recipes
from haplane.desired.files import KUBEADM_CONFIG
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import APISERVER_ASIDE, APISERVER_MANIFEST, MASTER_EVIDENCE, Kind
from haplane.domain.restoration import ETCD_DATA, JOURNAL, STAGES, Journal, Stage
from haplane.errors import HaplaneError
from haplane.phases.forget_nodes import forget_nodes
from haplane.phases.observe import decide_steps, observe, wait_for_starting_api_servers
from haplane.phases.phase import Phase, Restoration, Run
from haplane.pki import paths
from haplane.pki.encryption import merge_encryption, parse_encryption, render_encryption
from haplane.remote.database import send_database
from haplane.remote.openssh import read_files
from haplane.remote.session import deploy


@dataclass(frozen=True)
class RestorePhase(Phase):
    """A phase of every restore that is not further than ``stage``."""

    kinds: tuple[Kind, ...] = ()
    carry_out: Callable[[Run], None] = lambda run: None
    stage: Stage = "serving"

    def describe(self, run: Run) -> list[str]:
        return []

    def should_run(self, run: Run) -> bool:
        journal = restoration(run).journal
        return STAGES.index(journal.stage) <= STAGES.index(self.stage) or bool(late_members(run))


def restoration(run: Run) -> Restoration:
    """The restore that this run is. Raises HaplaneError in a run of another verb."""
    if run.restoration is None:
        raise HaplaneError("this run restores nothing", next_step="please report it")
    return run.restoration


def hosts_of(run: Run) -> list[Host]:
    """Masters and members that answer and are not left out."""
    chosen = run.inventory.masters + tuple(host for host in run.inventory.etcd if host not in run.inventory.masters)
    return [host for host in run.reachable(chosen) if host.name not in restoration(run).without]


def members_due(run: Run) -> list[Host]:
    """Members whose data is to be replaced; never twice in one restore."""
    journal = restoration(run).journal
    return [host for host in hosts_of(run) if host in run.inventory.etcd and host.name not in journal.members]


def late_members(run: Run) -> list[Host]:
    """Members that were off while the others got their data."""
    return members_due(run) if restoration(run).journal.stage == "serving" else []


def masters_due(run: Run) -> list[Host]:
    """Masters whose API server is to be stopped: after the restore serves, only those beside a late member."""
    masters = [host for host in hosts_of(run) if host in run.inventory.masters]
    if restoration(run).journal.stage != "serving":
        return masters
    return [host for host in masters if host in late_members(run)]


def remember(run: Run) -> None:
    """The journal, before anything else is written: from now on `up` does not touch these hosts."""
    _write_journal(run, restoration(run).journal)


def _write_journal(run: Run, journal: Journal) -> None:
    run.restoration = replace(restoration(run), journal=journal)
    file = WantedFile(JOURNAL, journal.content(), Part.HOST, 0o600)
    deploy(hosts_of(run), recipes.write_journal, run.progress, journal=file, data=ETCD_DATA, staging=journal.staging)


def merge_encryption_keys(run: Run) -> None:
    """On every master the key that writes now, then every other that anybody has: old Secrets stay readable."""
    masters = [host for host in hosts_of(run) if host in run.inventory.masters]
    found = [read_files(host, [paths.ENCRYPTION]).get(paths.ENCRYPTION) for host in masters]
    held = [parse_encryption(text, paths.ENCRYPTION) for text in found if text is not None]
    merged = render_encryption(merge_encryption([*held, restoration(run).encryption_keys]))
    file = WantedFile(paths.ENCRYPTION, merged, Part.CONTROL_PLANE, 0o600, secret=True)
    deploy(masters, recipes.write_encryption, run.progress, encryption=file)


def rebuild_data(run: Run) -> None:
    """The snapshot to every member, and there into a data directory of its own."""
    given, hosts = restoration(run), members_due(run)
    journal, database = given.journal, given.database
    if database is None:
        raise HaplaneError("the snapshot is not at hand", next_step="run the same command again")
    run.progress(", ".join(host.name for host in hosts), f"sending {database.size / (1 << 20):.0f} MiB")
    send_database(hosts, database.path, database.sha256, f"{journal.staging}/snapshot.db")
    urls = {host.name: f"https://{host.address}:2380" for host in run.inventory.etcd}
    deploy(
        hosts,
        recipes.rebuild_data,
        run.progress,
        staging=journal.staging,
        bump=journal.bump,
        token=f"{run.inventory.cluster.name}-{journal.stamp}",
        initial_cluster=",".join(f"{name}={url}" for name, url in sorted(urls.items())),
        peer_urls=urls,
    )


def stop_serving(run: Run) -> None:
    """Every API server, so that nobody reads or writes while the data is another's."""
    if restoration(run).journal.stage == "preparing":
        _write_journal(run, restoration(run).journal.replacing())
    deploy(masters_due(run), recipes.stop_serving, run.progress, manifest=APISERVER_MANIFEST, aside=APISERVER_ASIDE)


def switch_data(run: Run) -> None:
    """Old data aside, new data in its place, all members started together."""
    journal, hosts = restoration(run).journal, members_due(run)
    deploy(hosts, recipes.switch_data, run.progress, data=ETCD_DATA, staging=journal.staging, aside=journal.aside)
    deploy(hosts, recipes.start_restored, run.progress)
    _write_journal(run, journal.serving([*journal.members, *(host.name for host in hosts)]))


def resume_serving(run: Run) -> None:
    """API servers, controllers, schedulers and kubelets, all with empty memories."""
    masters = [host for host in hosts_of(run) if host in run.inventory.masters]
    deploy(
        masters,
        recipes.resume_serving,
        run.progress,
        manifest=APISERVER_MANIFEST,
        aside=APISERVER_ASIDE,
        config=KUBEADM_CONFIG,
    )
    served = [host for host in masters if _has_served(run, host)]
    deploy(served, recipes.wait_for_apiservers, run.progress, port=run.inventory.cluster.apiserver_port)
    deploy(run.reachable(run.inventory.workers), recipes.restart_kubelets, run.progress)


def _has_served(run: Run, host: Host) -> bool:
    """Whether its API server only has to be started; kubeadm's phases make the others."""
    files = run.report(host).files
    return all(path in files or (path == APISERVER_MANIFEST and APISERVER_ASIDE in files) for path in MASTER_EVIDENCE)


def look_again(run: Run) -> None:
    """What is left to do is `up`'s: masters without a control plane, add-ons, marks."""
    observe(run)
    wait_for_starting_api_servers(run)
    decide_steps(run)


def forget_stale_nodes(run: Run) -> None:
    """Masters that the restored data knows and the inventory does not; before, there was nobody to ask."""
    if run.observation.kubernetes() is None:
        observe(run)
        decide_steps(run)
        forget_nodes(run)


def forget(run: Run) -> None:
    """The restore is complete: only the old data stays."""
    deploy(hosts_of(run), recipes.forget, run.progress, data=ETCD_DATA, journal=JOURNAL)


REMEMBER = RestorePhase("Remember the restore on every host", carry_out=remember, stage="preparing")
MERGE_ENCRYPTION_KEYS = RestorePhase(
    "Write the encryption keys of then and now", carry_out=merge_encryption_keys, stage="replacing"
)
REBUILD_DATA = RestorePhase("Rebuild etcd's data beside the old", carry_out=rebuild_data, stage="replacing")
STOP_SERVING = RestorePhase("Stop API servers", carry_out=stop_serving, stage="replacing")
SWITCH_DATA = RestorePhase("Put the new data in place", carry_out=switch_data, stage="replacing")
RESUME_SERVING = RestorePhase("Start API servers", carry_out=resume_serving)
LOOK_AGAIN = RestorePhase("See what is left to do", carry_out=look_again)
FORGET_STALE_NODES = RestorePhase("Forget Nodes of machines that are gone", carry_out=forget_stale_nodes)
FORGET = RestorePhase("Tidy up", carry_out=forget)
