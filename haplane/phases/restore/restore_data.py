"""etcd's data on all members replaced by a snapshot's, at once; nobody is first here either.

Everything that takes long is done before anything stops: the snapshot is sent and rebuilt into data directories
beside the old ones. What is an outage is two renames between stopping and starting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look, Phase
from haplane.deploys import restore as recipes
from haplane.deploys.etcd_recipes import move_etcd_data
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.observed import Node
from haplane.domain.plan import MASTER_EVIDENCE, Kind, Plan
from haplane.domain.restoration import STAGES, Journal, Stage
from haplane.domain.steps.membership import MASTER_LABELS
from haplane.errors import HaplaneError
from haplane.observation.decide import decide_steps
from haplane.observation.observe import observe
from haplane.observation.preconditions import wait_for_starting_api_servers
from haplane.observation.waiting import Obstacle, look_until_clear
from haplane.pki.encryption import merge_encryption, parse_encryption, render_encryption
from haplane.procedures.delete_nodes import delete_nodes
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

GONE_SECONDS = 90.0
"""More than the 50 s after which a Node whose kubelet says nothing is no longer Ready."""


def _up_to(stage: Stage) -> Callable[[Context], bool]:
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


def record_restore(context: Context) -> None:
    """The journal, before anything else is written: from now on `up` does not touch these hosts."""
    _write_journal(context, restoration(context).journal)


def _write_journal(context: Context, journal: Journal) -> None:
    given = replace(restoration(context), journal=journal)
    context.adopt(replace(context.decision, restoration=given))
    file = WantedFile(host_paths.RESTORE_JOURNAL_JSON, journal.content(), Part.HOST, 0o600)
    context.deploy(hosts_of(context), recipes.write_journal, journal=file, staging=journal.staging)


def merge_encryption_keys(context: Context) -> None:
    """On every master the key that writes now, then every other that anybody has: old Secrets stay readable."""
    masters = [host for host in hosts_of(context) if host in context.inventory.masters]
    found = [
        context.executor.read_files(host, [host_paths.ENCRYPTION_YAML]).get(host_paths.ENCRYPTION_YAML)
        for host in masters
    ]
    held = [parse_encryption(text, host_paths.ENCRYPTION_YAML) for text in found if text is not None]
    merged = render_encryption(merge_encryption([*held, restoration(context).encryption_keys]))
    file = WantedFile(host_paths.ENCRYPTION_YAML, merged, Part.CONTROL_PLANE, 0o600, secret=True)
    context.deploy(masters, recipes.write_encryption, encryption=file)


def rebuild_data(context: Context) -> None:
    """The snapshot to every member, and there into a data directory of its own."""
    given, hosts = restoration(context), members_due(context)
    journal, database = given.journal, given.database
    if database is None:
        raise HaplaneError("the snapshot is not at hand", next_step="run the same command again")
    context.progress(", ".join(host.name for host in hosts), f"sending {database.size / (1 << 20):.0f} MiB")
    context.executor.send_database(hosts, database.path, database.sha256, f"{journal.staging}/snapshot.db")
    urls = {host.name: f"https://{host.address}:2380" for host in context.inventory.etcd}
    context.deploy(
        hosts,
        recipes.rebuild_data,
        staging=journal.staging,
        bump=journal.bump,
        token=f"{context.inventory.cluster.name}-{journal.timestamp}",
        initial_cluster=",".join(f"{name}={url}" for name, url in sorted(urls.items())),
        peer_urls=urls,
    )


def stop_serving(context: Context) -> None:
    """Every API server, so that nobody reads or writes while the data is another's."""
    if any(report.apiserver.ready for report in context.observation.reports.values()):
        context.result.outage_began = context.executor.monotonic()
    if restoration(context).journal.stage == "preparing":
        _write_journal(context, restoration(context).journal.replacing())
    context.deploy(masters_due(context), recipes.stop_serving)


def switch_data(context: Context) -> None:
    """Old data moved away, new data in its place, all members started together."""
    journal, hosts = restoration(context).journal, members_due(context)
    context.deploy(leaving_members(context), move_etcd_data, timestamp=journal.timestamp)
    context.deploy(hosts, recipes.switch_data, staging=journal.staging, previous=journal.previous_data)
    context.deploy(hosts, recipes.start_restored)
    _write_journal(context, journal.serving([*journal.members, *(host.name for host in hosts)]))


def resume_serving(context: Context) -> None:
    """API servers, controllers, schedulers and kubelets, all with empty memories."""
    masters = [host for host in hosts_of(context) if host in context.inventory.masters]
    context.deploy(masters, recipes.resume_serving)
    served = [host for host in masters if _has_served(context, host)]
    context.deploy(served, recipes.wait_for_control_planes, port=context.inventory.cluster.apiserver_port)
    context.deploy(context.reachable(context.inventory.workers), recipes.restart_kubelets)
    if context.result.outage_began is not None:
        context.result.outage_seconds = round(context.executor.monotonic() - context.result.outage_began, 1)


def _has_served(context: Context, host: Host) -> bool:
    """Whether its API server only has to be started; kubeadm's phases make the others."""
    files = context.report(host).files
    return all(path in files or host_paths.MOVED_MANIFESTS.get(path) in files for path in MASTER_EVIDENCE)


def look_again(context: Context) -> None:
    """What is left to do is `up`'s: masters without a control plane, add-ons, marks."""
    observe(context)
    wait_for_starting_api_servers(context)
    decide_restore(context)


def delete_stale_nodes(context: Context) -> None:
    """Masters that the restored data knows and the inventory does not; before, there was nobody to ask.

    The data says that they are Ready, as they were when it was taken: they are waited for until the controllers know
    better, GONE_SECONDS at most. One that still is Ready then lives, and stays.
    """
    observe(context)

    def ready() -> Obstacle | None:
        names = [node.name for node in _stale_masters(context) if node.ready]
        return Obstacle(", ".join(names), "not in the inventory, but its Node is still Ready") if names else None

    look_until_clear(context, ready, GONE_SECONDS)
    if _stale_masters(context):
        decide_steps(context)
        delete_nodes(context)


def decide_restore(context: Context) -> None:
    """The plan, less what a restore leaves to the next `up`."""
    decide_steps(context)
    plan = Plan(tuple(step for step in context.plan.steps if step.kind not in LEFT_TO_UP))
    context.adopt(replace(context.decision, plan=plan))


def _stale_masters(context: Context) -> list[Node]:
    kubernetes, inventory = context.observation.kubernetes(), context.inventory
    ours = {host.name for host in inventory.nodes + inventory.leaving}
    nodes = kubernetes.nodes if kubernetes else ()
    return [node for node in nodes if set(node.labels) >= MASTER_LABELS and node.name not in ours]


def remove_record(context: Context) -> None:
    """The restore is complete: only the old data stays."""
    context.deploy(hosts_of(context), recipes.complete)


RECORD_RESTORE = Phase("Record the restore on every host", (), record_restore, when=_up_to("preparing"))
MERGE_ENCRYPTION_KEYS = Phase(
    "Merge the encryption keys of the snapshot and of the hosts", (), merge_encryption_keys, when=_up_to("replacing")
)
REBUILD_DATA = Phase("Rebuild etcd's data beside the old data", (), rebuild_data, when=_up_to("replacing"))
STOP_SERVING = Phase("Stop API servers", (), stop_serving, when=_up_to("replacing"))
SWITCH_DATA = Phase("Switch to the new data", (), switch_data, when=_up_to("replacing"))
RESUME_SERVING = Phase("Start API servers", (), resume_serving, when=_up_to("serving"))
PLAN_REMAINING_CHANGES = Phase("Plan remaining changes", (), look_again, when=_up_to("serving"))
DELETE_STALE_NODES = Phase(
    "Delete Node objects that the restored data brought", (), delete_stale_nodes, when=_up_to("serving")
)
REMOVE_RECORD = Phase("Delete the record of the restore", (), remove_record, when=_up_to("serving"))
DECIDE_RESTORE = Look("Decide what has to be done besides the data", decide_restore)
