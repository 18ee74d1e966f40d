"""``haplane status``: the cluster as tables, as problems alone, or as JSON."""

from __future__ import annotations

import contextlib
import time

import click

from haplane.cli.output import Output
from haplane.cli.run import examples, inventory_argument, json_option, load, reports_errors
from haplane.domain.assessment import Recovery, RecoveryAction
from haplane.domain.problem import in_code
from haplane.domain.progress import silent
from haplane.domain.snapshot_status import Snapshots
from haplane.domain.status import MasterStatus, MemberStatus, NodeStatus, Status, validity
from haplane.errors import BadInput, ExitCode
from haplane.workflows.status import status

WATCH_SECONDS = 2.0


@click.command(
    "status",
    epilog=examples(
        "haplane status inventories/prod.py",
        "haplane status inventories/prod.py --check   # for cron",
    ),
)
@inventory_argument
@json_option
@click.option("--watch", is_flag=True, help="Refresh every two seconds until interrupted.")
@click.option("--check", is_flag=True, help="Print only the problems; nothing if the cluster is healthy.")
@reports_errors
def command(output: Output, inventory: str, *, watch: bool, check: bool) -> ExitCode:
    """Show masters, etcd members, endpoint, snapshots and certificates of INVENTORY.

    Exits with 0 when the cluster is healthy and with 6 when it is not.
    """
    if watch and (output.as_json or check):
        raise BadInput(
            "--watch is for people: it cannot be combined with --json or --check", next_step="leave out --watch"
        )
    loaded = load(output, inventory)
    found = status(loaded, silent if check else output.progress)
    output.document(found.document())
    (show_problems if check else show)(output, found)
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        while watch:
            time.sleep(WATCH_SECONDS)
            found = status(loaded, silent)
            output.clear()
            show(output, found)
    return ExitCode.DONE if found.healthy else ExitCode.INCOMPLETE


def show(output: Output, found: Status) -> None:
    """Everything, as tables."""
    cluster, health = found.cluster, "healthy" if found.healthy else "NOT HEALTHY"
    output.line(f"{cluster.name}  {cluster.endpoint}  Kubernetes {cluster.kubernetes_version}  {health}")
    show_nodes(output, found)
    show_members(output, found)
    show_load_balancers(output, found)
    show_snapshots(output, found.snapshots)
    output.line()
    if found.certificates.days_left is not None:
        output.line(f"certificates: the first {validity(found.certificates.days_left)}")
    for note in found.notes:
        output.line(f"note: {note}")
    show_problems(output, found)
    for old in found.recovery.previous_data if found.recovery else ():
        output.line(f"old etcd data: {old.host}:{old.path}, {old.size / (1 << 20):.0f} MiB")


def show_problems(output: Output, found: Status) -> None:
    """What is wrong, each with its remedy, and what recovers etcd."""
    for problem in found.problems:
        output.line(f"problem: {problem}")
    if found.recovery:
        show_recovery(output, found.recovery)


def show_nodes(output: Output, found: Status) -> None:
    """Masters and workers."""
    output.line()
    output.table(
        ("MASTER", "ADDRESS", "NODE", "API SERVER", "KUBELET"),
        [
            (one.name, one.address, _node(one), _word(one.apiserver_ready, "ready"), one.kubelet_version)
            if one.reachable
            else (one.name, one.address, "unreachable", "", one.kubelet_version)
            for one in found.masters
        ],
    )
    if found.workers:
        output.line()
        output.table(
            ("WORKER", "NODE", "KUBELET", "NOTE"),
            [(one.name, _node(one), one.kubelet_version, one.note) for one in found.workers],
        )


def show_members(output: Output, found: Status) -> None:
    """Members of etcd, and how many of them may fail."""
    output.line()
    output.table(
        ("ETCD MEMBER", "ADDRESS", "HEALTH", "ROLE", "DATABASE", "REVISION"),
        [
            (
                one.name,
                one.address,
                _member(one),
                "leader" if one.leader else "learner" if one.learner else "",
                _database(one.db_bytes, one.quota_bytes),
                one.revision,
            )
            for one in found.etcd.members
        ],
    )
    quorum = found.etcd.quorum
    arithmetic = f"{quorum.healthy} of {quorum.voters} healthy, majority is {quorum.needed}"
    output.line(f"quorum: {arithmetic}, {quorum.can_lose} more may fail")


def show_load_balancers(output: Output, found: Status) -> None:
    """Whether haproxy responds on each, and which one holds the endpoint's address."""
    if not found.load_balancers:
        return
    output.line()
    output.table(
        ("LOAD BALANCER", "HAPROXY", "ENDPOINT"),
        [
            (one.name, _word(one.haproxy, "responding"), "holds it" if one.holds_endpoint else "")
            if one.reachable
            else (one.name, "unreachable", "")
            for one in found.load_balancers
        ],
    )


def show_recovery(output: Output, recovery: Recovery) -> None:
    """The least destructive way to recover etcd, if it has to be."""
    if recovery.action is not RecoveryAction.NOTHING:
        output.line(f"recovery: {recovery.action} ({recovery.reason}); next: {in_code(recovery.command)}")


def show_snapshots(output: Output, snapshots: Snapshots) -> None:
    """Each member's snapshots, the age of the newest and what a total loss would cost."""
    output.line()
    if snapshots.interval_seconds is None:
        output.line("snapshots: not configured")
        return
    output.table(
        ("SNAPSHOTS", "LAST VERIFIED", "LAST RUN", "KEPT", "LAST ERROR"),
        [
            (one.name, _timestamp(one.last_taken_at), one.last_outcome, one.local, _shortened(one.last_error))
            for one in snapshots.members
        ],
    )
    if snapshots.local is None:
        output.line("snapshots: unknown, no etcd member reports them")
        return
    if snapshots.age_seconds is None:
        output.line(f"snapshots: none yet; one is due every {snapshots.interval_seconds} s")
        return
    output.line(
        f"snapshots: the newest verified one is {snapshots.age_seconds:.0f} s old; a total loss costs at most "
        f"{snapshots.rpo_seconds:.0f} s of writes (one every {snapshots.interval_seconds} s, "
        f"{snapshots.pipeline_seconds:.1f} s to take it)"
    )


def _database(size: int | None, quota: int | None) -> str:
    """The database's size, and its quota in MiB."""
    if size is None:
        return ""
    mebibyte = 1 << 20
    return f"{size / mebibyte:.1f} MiB" + (f" of {quota / mebibyte:.0f}" if quota else "")


def _timestamp(text: str | None) -> str | None:
    """An ISO 8601 timestamp in UTC without its fraction of a second."""
    return f"{text[:19]}Z" if text else None


def _shortened(text: str | None, longest: int = 44) -> str | None:
    line = " ".join(text.split()) if text else None
    return line if line is None or len(line) <= longest else f"{line[: longest - 3]}..."


def _member(one: MemberStatus) -> str:
    """Its failure or alarms, else whether it is healthy."""
    named = ", ".join(word for word in (one.failure, *one.alarms) if word)
    return named or ("unknown" if one.unknown else _word(one.healthy, "healthy"))


def _node(one: MasterStatus | NodeStatus) -> str:
    """``unknown`` for a node that no API server reports."""
    return _word(one.ready, "Ready") if one.kubelet_version is not None else "unknown"


def _word(fine: bool, word: str) -> str:
    return word if fine else f"not {word}"
