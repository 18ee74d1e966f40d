"""What the last observation says of etcd's members: what may be changed, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable

from haplane.domain.agreement import stale_members
from haplane.domain.members import is_corrupt, membership
from haplane.domain.membership import NO_QUORUM, Blocked, Change, Membership, foresee
from haplane.domain.observed import listed_members
from haplane.domain.plan import CONTROL_PLANE_LABEL
from haplane.errors import Refused, Unreachable
from haplane.phases.phase import Run, pause

LATE_SECONDS = 30.0


def current(run: Run, *, starting: bool = False) -> Membership:
    """Etcd's members now; with ``starting`` as they will be once those that are merely down run."""
    return membership(
        {host.name: str(host.address) for host in run.inventory.etcd},
        {host.name: str(host.address) for host in run.inventory.leaving},
        run.observation.reports,
        condemned=run.condemned,
        starting=starting,
    )


def foresee_changes(run: Run, look_again: Callable[[Run], None]) -> tuple[Change, ...]:
    """Every change of membership that is due. Raises Refused when one of them would not be safe.

    Where every member runs and only too few of them answered in time, they are looked at again first.
    """
    deadline = time.monotonic() + LATE_SECONDS
    while True:
        if not any(report.etcd.bootstrapped for report in run.observation.reports.values()):
            return ()
        run.condemned = condemned(run)
        changes, blocked = foresee(current(run, starting=True))
        if blocked is None:
            return changes
        if not (blocked.what == NO_QUORUM and _all_run(run)) or time.monotonic() >= deadline:
            raise refused(blocked, run.inventory.path)
        pause(run, "etcd", f"waiting: {blocked.why}")
        look_again(run)


def _all_run(run: Run) -> bool:
    reports = [run.observation.reports.get(host.name) for host in run.inventory.etcd]
    return all(report is not None and "etcd" in report.units and report.units["etcd"].active for report in reports)


def refused(blocked: Blocked, inventory: str) -> Refused:
    """Why etcd's members must stay as they are for now."""
    if blocked.what == NO_QUORUM:
        next_step = f"switch on what is off; when it is lost for good: `haplane restore {inventory}`"
    else:
        next_step = "hosts that leave go into the group `leaving`; those that are dead have to be off"
    return Refused(blocked.what, where="etcd's member list", why=blocked.why, next_step=next_step)


def refuse_living_masters(run: Run) -> None:
    """Raises Refused for masters that are Ready, and neither in the inventory nor leaving within our reach."""
    kubernetes = run.observation.kubernetes()
    inventory = run.inventory
    ours = {host.name for host in (*inventory.nodes, *run.reachable(inventory.leaving))}
    living = [
        node.name
        for node in (kubernetes.nodes if kubernetes else ())
        if CONTROL_PLANE_LABEL in node.labels and node.ready and node.name not in ours
    ]
    if living:
        raise Refused(
            f"{', '.join(living)}: a master that is Ready, and not in the inventory or not reachable by ssh",
            why="it serves clients, and they would see it go",
            next_step="put it into the group `leaving`; if it is off already, wait a minute until it is NotReady",
        )


def condemned(run: Run) -> frozenset[str]:
    """The repaired host, if its member's data are damaged or of another cluster: sound ones are never given up.

    Raises Unreachable when it does not answer.
    """
    name = run.repaired
    if name is None:
        return frozenset()
    reports = run.observation.reports
    if name not in reports:
        raise Unreachable(
            f"{name} cannot be reached; nothing was changed",
            why=run.observation.unreachable.get(name),
            next_step=f"switch on {name} or a machine in its place; for a machine with another name or address, "
            "write that into the inventory and run `haplane up`",
        )
    voting = any(member.name == name and not member.is_learner for member in listed_members(reports.values()))
    stale = name in stale_members([host.name for host in run.inventory.etcd], reports)
    if (stale or is_corrupt(name, reports)) and voting:
        return frozenset({name})
    return frozenset()
