"""What the last observation shows of etcd's members: what may be changed, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.desired.hosts import cluster_wants
from haplane.domain.etcd_failure import FailureKind
from haplane.domain.members import is_corrupt, membership, misaddressed, readdressing
from haplane.domain.membership import NO_QUORUM, Act, Blocked, Change, Membership
from haplane.domain.membership_forecast import foresee
from haplane.domain.observed import listed_members
from haplane.domain.plan import CONTROL_PLANE_LABEL, MADE_LABEL
from haplane.domain.problem import on
from haplane.domain.stale_members import disagreement, stale_members
from haplane.domain.status.etcd_failures import fix_of
from haplane.domain.steps.etcd_space import lacks_room
from haplane.domain.steps.membership import not_made_by_haplane
from haplane.errors import HaplaneError, Refused, Unreachable
from haplane.observation.waiting import Obstacle, look_until_clear

LATE_QUORUM_SECONDS = 30.0
"""Members that were just started, or run on busy hosts, answer within that."""

BLOCKED_SECONDS = 60.0
"""After one change members on a busy host may take that long until they are seen to serve again."""

HAPLANE_FIXES = (FailureKind.DAMAGED, FailureKind.CERTIFICATE, FailureKind.KEYS_MISSING, FailureKind.PERMISSION)
"""A repair goes on: it issues keys, gives etcd its files, or rebuilds."""


def current(context: Context, *, starting: bool = False) -> Membership:
    """Etcd's members now; with ``starting`` as they will be once those that are merely down run."""
    return membership(
        {host.name: str(host.address) for host in context.inventory.etcd},
        {host.name: str(host.address) for host in context.inventory.leaving},
        context.observation.reports,
        data_to_discard=context.decision.data_to_discard,
        starting=starting,
    )


def foresee_changes(context: Context) -> tuple[Change, ...]:
    """Every change of membership that is due. Raises Refused when one of them would not be safe.

    Where every member runs and only too few of them answered in time, they are looked at again first.
    """
    _refuse_misaddressed(context)
    look_until_clear(context, lambda: _late_quorum(context), LATE_QUORUM_SECONDS)
    changes, blocked = _foreseen(context)
    if blocked is not None:
        raise refused(blocked)
    refuse_full_disks(context, changes)
    return changes


def _refuse_misaddressed(context: Context) -> None:
    """Raises Refused for members that are listed where they are not: they would be removed, as nobody's."""
    wanted = {host.name: str(host.address) for host in context.inventory.etcd}
    there = {name: report for name, report in context.observation.reports.items() if name in wanted}
    for name, member in misaddressed(wanted, there).items():
        raise Refused(
            f"etcd lists its member {name} at an address that is not {name}'s; nothing was changed",
            where="etcd's member list",
            why=f"it is listed at {', '.join(member.peer_urls)}, and runs at {wanted[name]}",
            next_step=f"{on(name, readdressing(member, wanted[name]))}, then run again",
        )


def _late_quorum(context: Context) -> Obstacle | None:
    _, blocked = _foreseen(context)
    late = blocked is not None and blocked.what == NO_QUORUM and _all_run(context)
    return Obstacle("etcd", f"waiting: {blocked.why}") if blocked is not None and late else None


def _foreseen(context: Context) -> tuple[tuple[Change, ...], Blocked | None]:
    if not any(report.etcd.bootstrapped for report in context.observation.reports.values()):
        return (), None
    context.adopt(replace(context.decision, data_to_discard=data_to_discard(context)))
    return foresee(current(context, starting=True))


def refuse_full_disks(context: Context, changes: Iterable[Change]) -> None:
    """Raises Refused when a member would be removed, added or started on a host whose disk has no room for its data.

    Told before anything is changed: a member that is given up and cannot come back is one less that may fail.
    """
    reports, members = context.observation.reports, [host.name for host in context.inventory.etcd]
    concerned = {change.name for change in changes if change.act in (Act.REMOVE, Act.ADD, Act.START)}
    for name in members:
        why = lacks_room(name, reports, members) if name in concerned else None
        if why is not None:
            raise Refused(
                f"{name} has no disk for an etcd member's data; nothing was changed",
                where=f"{name}: /var/lib/etcd",
                why=why,
                next_step="make room there, or mount the disk, and run the same command again",
            )


def _all_run(context: Context) -> bool:
    reports = [context.observation.reports.get(host.name) for host in context.inventory.etcd]
    return all(report is not None and "etcd" in report.units and report.units["etcd"].active for report in reports)


def refused(blocked: Blocked) -> Refused:
    """Why etcd's members must stay as they are for now."""
    if blocked.what == NO_QUORUM:
        next_step = "start the hosts that are off; if they are lost for good: `haplane restore INVENTORY`"
    else:
        usual = "move hosts to decommission into the group `leaving`; power off those that are dead"
        next_step = blocked.remedy or usual
    return Refused(blocked.what, where="etcd's member list", why=blocked.why, next_step=next_step)


def await_change(context: Context, find: Callable[[], Change | Blocked | None]) -> Change | None:
    """The change that ``find`` returns. One that must not be made yet is looked at again for BLOCKED_SECONDS.

    Raises Refused when it still must not.
    """

    def blocked() -> Obstacle | None:
        found = find()
        return Obstacle("etcd", f"waiting: {found.what} ({found.why})") if isinstance(found, Blocked) else None

    look_until_clear(context, blocked, BLOCKED_SECONDS)
    found = find()
    if isinstance(found, Blocked):
        raise refused(found)
    return found


def any_healthy_voter(context: Context, without: int = 0) -> Host:
    """A host whose member serves and is not ``without``: changes of the list are made through it."""
    for host in context.reachable((*context.inventory.etcd, *context.inventory.leaving)):
        etcd = context.report(host).etcd
        voter = etcd.status is not None and not etcd.status.is_learner and etcd.status.header.member_id != without
        if voter and etcd.reads_through_quorum and host.name not in context.decision.data_to_discard:
            return host
    raise HaplaneError("no other etcd member serves", next_step=f"`haplane status {context.inventory.path}`")


def refuse_living_masters(context: Context) -> None:
    """Raises Refused for masters that are Ready, and neither in the inventory nor leaving within our reach.

    A node that haplane did not make is none of its masters, whatever its labels: it is named and left alone.
    """
    kubernetes = context.observation.kubernetes()
    inventory = context.inventory
    wants = cluster_wants(inventory, context.manifest, context.request.user_files)
    for node in not_made_by_haplane(wants, kubernetes):
        remove = f"`kubectl delete node {node.name}`"
        context.progress(node.name, f"not made by haplane, left alone; to remove it: {remove}")
    ours = {host.name for host in (*inventory.nodes, *context.reachable(inventory.leaving))}
    leaving = {host.name for host in inventory.leaving}
    living = [
        node.name
        for node in (kubernetes.nodes if kubernetes else ())
        if node.ready
        and node.name not in ours
        and (node.name in leaving or {CONTROL_PLANE_LABEL, MADE_LABEL} <= set(node.labels))
    ]
    if living:
        raise Refused(
            f"{', '.join(living)}: a master that is Ready, and not in the inventory or not reachable by ssh",
            why="it serves clients, whose requests would fail",
            next_step="put it into the group `leaving`; if it is off already, wait a minute until it is NotReady",
        )


def data_to_discard(context: Context) -> frozenset[str]:
    """The repaired host, if its member's data are damaged or of another cluster: sound ones are never given up.

    Raises Unreachable when it does not answer.
    """
    name = context.request.repaired
    if name is None:
        return frozenset()
    reports = context.observation.reports
    if name not in reports:
        raise Unreachable(
            f"{name} cannot be reached; nothing was changed",
            why=context.observation.unreachable.get(name),
            next_step=f"start {name} or a host in its place; for a host with another name or address, "
            "write that into the inventory and run `haplane up`",
        )
    listed = listed_members(reports.values())
    voting = any(member.name == name and not member.is_learner for member in listed)
    if listed and not any(member.name == name for member in listed) and not reports[name].etcd.reads_through_quorum:
        return frozenset({name})  # taken off the list before, its data still there
    members = [host.name for host in context.inventory.etcd]
    stale = name in stale_members(members, reports) and disagreement(members, reports) is None
    given_up = stale or is_corrupt(name, reports)
    if not given_up and name in members:
        refuse_intact(context, name)
    return frozenset({name}) if given_up and voting else frozenset()


def refuse_intact(context: Context, name: str) -> None:
    """Raises Refused for a member that does not run, for a reason that is neither its data's nor haplane's to fix."""
    report = context.observation.reports[name]
    failure = report.etcd.failure
    if failure is None or failure.kind in HAPLANE_FIXES or not report.etcd.has_data:
        return
    members = [host.name for host in context.inventory.etcd]
    room = lacks_room(name, context.observation.reports, members)
    if failure.kind is FailureKind.DISK_FULL and room is None:
        return  # there is room by now
    raise Refused(
        f"etcd on {name} does not run, and its data may be intact; nothing was changed",
        where=f"{name}: {failure.kind.value}",
        why="; ".join(part for part in (failure.words, room) if part),
        next_step=fix_of(failure, name, str(context.inventory.host(name).address)),
    )


REFUSE_LIVING_MASTERS = Look("Refuse while a master that is not in the inventory is Ready", refuse_living_masters)
