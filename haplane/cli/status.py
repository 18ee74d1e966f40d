"""``haplane status``."""

from __future__ import annotations

import contextlib
import time

import click

from haplane.cli.output import Output
from haplane.cli.run import inventory_argument, json_option, reports_errors
from haplane.config.load import load_inventory
from haplane.domain.progress import silent
from haplane.domain.recovery import Cure, Recovery
from haplane.domain.snapshot_status import Snapshots
from haplane.domain.status import Status
from haplane.errors import BadInput, ExitCode
from haplane.workflows.status import status

WATCH_SECONDS = 2.0


@click.command("status")
@inventory_argument
@json_option
@click.option("--watch", is_flag=True, help="Look again every two seconds until interrupted.")
@click.option("--check", is_flag=True, help="Exit with 6 when the cluster is not healthy.")
@reports_errors
def command(output: Output, inventory: str, *, watch: bool, check: bool) -> ExitCode:
    """Nodes, etcd members, endpoint and certificates of INVENTORY, as they are now."""
    if watch and output.as_json:
        raise BadInput("--json writes one document and --watch many screens", next_step="choose one of them")
    loaded = load_inventory(inventory)
    found = status(loaded, output.progress)
    show(output, found)
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        while watch:
            time.sleep(WATCH_SECONDS)
            found = status(loaded, silent)
            click.clear()
            show(output, found)
    return ExitCode.INCOMPLETE if check and not found.healthy else ExitCode.DONE


def show(output: Output, found: Status) -> None:
    """Tables for people, the document for programs."""
    output.document(found.document())
    quorum = found.etcd.quorum
    output.line(
        f"{found.cluster.name}  {found.cluster.endpoint}  Kubernetes {found.cluster.kubernetes_version}  "
        f"{'healthy' if found.healthy else 'NOT HEALTHY'}"
    )
    output.line()
    output.table(
        ("MASTER", "ADDRESS", "NODE", "API SERVER", "KUBELET"),
        [
            (
                one.name,
                one.address,
                _word(one.ready, "Ready"),
                _word(one.apiserver_ready, "ready"),
                one.kubelet_version,
            )
            if one.reachable
            else (one.name, one.address, "unreachable", "", one.kubelet_version)
            for one in found.masters
        ],
    )
    if found.workers:
        output.line()
        output.table(
            ("WORKER", "NODE", "KUBELET"),
            [(one.name, _word(one.ready, "Ready"), one.kubelet_version) for one in found.workers],
        )
    output.line()
    output.table(
        ("ETCD MEMBER", "ADDRESS", "HEALTH", "ROLE", "DATABASE", "REVISION"),
        [
            (
                one.name,
                one.address,
                _word(one.healthy, "healthy"),
                "leader" if one.leader else "learner" if one.learner else "",
                "" if one.db_bytes is None else f"{one.db_bytes / (1 << 20):.1f} MiB",
                one.revision,
            )
            for one in found.etcd.members
        ],
    )
    arithmetic = f"{quorum.healthy} of {quorum.voters} healthy, {quorum.needed} needed"
    output.line(f"quorum: {arithmetic}, {quorum.can_lose} more may fail")
    if found.load_balancers:
        output.line()
        output.table(
            ("LOAD BALANCER", "HAPROXY", "ENDPOINT"),
            [
                (one.name, _word(one.haproxy, "answers"), "holds it" if one.holds_endpoint else "")
                if one.reachable
                else (one.name, "unreachable", "")
                for one in found.load_balancers
            ],
        )
    show_snapshots(output, found.snapshots)
    output.line()
    certificates = found.certificates
    if certificates.days_left is not None:
        output.line(f"certificates: the first expires in {certificates.days_left:.0f} days")
    for problem in found.problems:
        output.line(f"problem: {problem}")
    if found.recovery:
        show_recovery(output, found.recovery)


def show_recovery(output: Output, recovery: Recovery) -> None:
    """What would bring etcd back with the least, and what restores have kept."""
    if recovery.members or recovery.cure == Cure.REBUILD.value:
        output.line(f"cure: {recovery.cure} ({recovery.arithmetic})")
    for kept in recovery.kept:
        output.line(f"kept by a restore: {kept.host}:{kept.path}, {kept.size / (1 << 20):.0f} MiB")


def show_snapshots(output: Output, snapshots: Snapshots) -> None:
    """Age and what a total loss would cost, then what each member says."""
    output.line()
    if snapshots.interval_seconds is None:
        output.line("snapshots: none are taken")
        return
    output.table(
        ("SNAPSHOTS", "LAST GOOD", "LAST RUN", "KEPT", "LAST ERROR"),
        [
            (one.name, _moment(one.last_taken_at), one.last_outcome, one.local, _shortened(one.last_error))
            for one in snapshots.members
        ],
    )
    if snapshots.age_seconds is None:
        output.line(f"snapshots: none yet; one is due every {snapshots.interval_seconds} s")
        return
    output.line(
        f"snapshots: the last good one is {snapshots.age_seconds:.0f} s old; a total loss costs at most "
        f"{snapshots.rpo_seconds:.0f} s ({snapshots.interval_seconds} s between them, "
        f"{snapshots.pipeline_seconds:.1f} s to take the last one)"
    )


def _moment(text: str | None) -> str | None:
    """An ISO 8601 moment in UTC without its fraction of a second."""
    return f"{text[:19]}Z" if text else None


def _shortened(text: str | None, longest: int = 44) -> str | None:
    line = " ".join(text.split()) if text else None
    return line if line is None or len(line) <= longest else f"{line[: longest - 3]}..."


def _word(fine: bool, word: str) -> str:
    return word if fine else f"not {word}"
