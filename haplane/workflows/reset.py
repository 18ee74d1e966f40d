"""``haplane reset``: take haplane's cluster off machines, after a typed confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haplane.config.model import Host, Inventory
from haplane.domain.guard import may_restart_etcd
from haplane.domain.progress import Progress
from haplane.errors import BadInput, ExitCode, Refused
from haplane.phases.observe import observe
from haplane.phases.phase import Run
from haplane.phases.take_off import take_off
from haplane.remote.lock import locked
from haplane.workflows.up import prepare


@dataclass(frozen=True)
class Outcome:
    """Which hosts are clean, where their data went, and which could not be reached."""

    done: tuple[str, ...]
    aside: str | None
    skipped: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """6 when a host was skipped."""
        return ExitCode.INCOMPLETE if self.skipped else ExitCode.DONE


def reset(
    inventory: Inventory, names: Sequence[str], *, confirm: Callable[[tuple[str, ...]], bool], progress: Progress
) -> Outcome:
    """Take the cluster off the named hosts, or off all of them. ``confirm`` gets what it means, a line each.

    Raises BadInput for a name that is not in the inventory and Refused when a part of the cluster that goes on needs
    a named host.
    """
    hosts = choose(inventory, names)
    run = prepare(inventory, progress)
    observe(run)
    if names:
        refuse_if_needed(run, hosts)
    reachable = run.reachable(hosts)
    skipped = tuple(host.name for host in hosts if host not in reachable)
    stamp = run.now().strftime("%Y%m%dT%H%M%SZ")
    if not confirm(meaning(inventory, reachable, whole=not names)):
        return Outcome(done=(), aside=None, skipped=skipped)
    with locked(inventory, run.reachable(inventory.everyone), f"haplane reset {inventory.path}", progress) as lock:
        if names:
            observe(run)
            refuse_if_needed(run, hosts)
        through_lock = [lock.inventory.host(host.name) for host in reachable]
        take_off(run, through_lock, stamp)
    return Outcome(tuple(host.name for host in reachable), f"/var/lib/haplane-reset/{stamp}", skipped)


def choose(inventory: Inventory, names: Sequence[str]) -> list[Host]:
    """The hosts of those names, or all. Raises BadInput for a name nobody has."""
    known = {host.name: host for host in inventory.everyone}
    if unknown := [name for name in names if name not in known]:
        raise BadInput(
            f"{', '.join(unknown)}: not in the inventory",
            where=inventory.path,
            why=f"it names {', '.join(known)}",
            next_step="name hosts of the inventory, or none for all of them",
        )
    return [known[name] for name in names] if names else list(known.values())


def refuse_if_needed(run: Run, hosts: Sequence[Host]) -> None:
    """While the cluster serves, a ready API server, a load balancer and etcd's majority have to stay."""
    inventory, reports = run.inventory, run.observation.reports
    ready = [host for host in inventory.masters if host.name in reports and reports[host.name].apiserver.ready]
    if ready and all(host in hosts for host in ready):
        raise _refused(f"no other API server is ready than {', '.join(host.name for host in ready)}")
    if ready and inventory.balancer_hosts and all(host in hosts for host in inventory.balancer_hosts):
        raise _refused("no load balancer would be left")
    states = {host.name: reports.get(host.name) for host in inventory.etcd}
    members = [host.name for host in hosts if host.name in states]
    if not any(report is not None and report.etcd.reads_through_quorum for report in states.values()):
        return
    if len(members) > 1:
        raise _refused(f"{', '.join(members)} are {len(members)} of {len(states)} etcd members")
    for name in members:
        verdict = may_restart_etcd(states, name)
        if not verdict.allowed:
            raise _refused(verdict.arithmetic)


def _refused(why: str) -> Refused:
    return Refused(
        "the cluster needs these hosts",
        why=why,
        next_step="reset one member at a time, or name no host to take the whole cluster off",
    )


def meaning(inventory: Inventory, hosts: Sequence[Host], *, whole: bool) -> tuple[str, ...]:
    """What a yes means."""
    names = ", ".join(host.name for host in hosts)
    end = f"This ends the cluster {inventory.cluster.name}." if whole else "The cluster goes on without them."
    return (
        f"{names}: stop everything, move etcd's data and all keys to /var/lib/haplane-reset, remove the rest",
        end,
    )
