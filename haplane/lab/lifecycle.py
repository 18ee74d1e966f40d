"""What can be done to a lab and its hosts. Each function is safe to repeat, and returns when it is done.

An empty list of hosts means all of the lab's. Host names that the lab does not have raise BadInput.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.lab import links, network, paths, power
from haplane.lab.command import exclusive, require_machine
from haplane.lab.disk import PARTS
from haplane.lab.identity import ensure_identity
from haplane.lab.kinds import kind_of
from haplane.lab.login import wait_for_ssh
from haplane.lab.plan import LabHost, Plan, plan
from haplane.threads import Threads


def up(inventory: Inventory, progress: Progress = silent, hosts: Sequence[str] = ()) -> None:
    """Make and power on the lab's hosts, with all cables in; hosts that run are left running.

    Cleans what an earlier, killed lab of that name left. Raises Refused where this machine cannot hold the lab,
    DeadlinePassed (with the console's last lines) when a host does not accept logins in its kind's time.
    """
    lab = _lab(inventory)
    chosen = lab.select(hosts)
    with _alone(lab):
        kind_of(lab).prepare(lab, progress)
        ensure_identity(lab)
        network.ensure_bridge(lab)
        _plug_in(lab, chosen)
        _each(chosen, lambda host: _power_on(lab, host, progress))


def down(inventory: Inventory, progress: Progress = silent) -> None:
    """Power off the lab and remove all of it, disks included; only the base image and the keys stay.

    What machines of its kind need to be made is not needed for that.
    """
    lab = plan(inventory)
    require_machine({})
    with _alone(lab):
        progress(lab.name, "powering off")
        _power_off(lab, [*lab.hosts, *_strays(lab)])
        network.remove_bridge(lab)
        progress(lab.name, "removing disks")
        directory = paths.lab_directory(lab.name)
        if directory.exists():
            shutil.rmtree(directory)
        progress(lab.name, "removed")


def kill(inventory: Inventory, hosts: Sequence[str] = ()) -> None:
    """Cut the power of hosts, all at the same moment. Their disks stay; their peers notice by timeout."""
    lab = _lab(inventory)
    _power_off(lab, lab.select(hosts))


def start(
    inventory: Inventory,
    hosts: Sequence[str] = (),
    progress: Progress = silent,
    *,
    clock_ahead: timedelta | None = None,
) -> None:
    """Power on hosts that are off, with the disks they had, and wait until they accept logins.

    With ``clock_ahead`` their clocks are so far ahead of ours, from now on. Raises Refused where a host runs then, or
    has no clock of its own.
    """
    lab = _lab(inventory)
    chosen = lab.select(hosts)
    _refuse_unmade(lab, chosen, inventory.path)
    if clock_ahead is not None:
        _refuse_running(lab, chosen, inventory.path, "only the clock of a host that is off can be set")
        for host in chosen:
            kind_of(lab).set_clock_ahead(host, clock_ahead)
    if lab.bridge not in network.owned_bridges(lab):
        network.ensure_bridge(lab)
    _each(chosen, lambda host: _power_on(lab, host, progress))


def cut(inventory: Inventory, hosts: Sequence[str] = (), *, between: bool = False) -> None:
    """Unplug hosts; with ``between`` and exactly two, cut only the link between these two."""
    lab = _lab(inventory)
    chosen = lab.select(hosts)
    off = [host.name for host in chosen if not _running(lab, host)]
    if off:
        raise Refused(
            f"{', '.join(off)}: off, so there is no cable to cut", next_step=f"`haplane lab start {inventory.path}`"
        )
    if between:
        links.cut_between(lab, chosen)
        return
    links.cut(chosen)
    for host in chosen:
        kind_of(lab).set_carrier(host, on=False)


def heal(inventory: Inventory, hosts: Sequence[str] = (), *, between: bool = False) -> None:
    """Plug hosts in and restore all their links; with ``between`` and exactly two, only the link between them."""
    lab = _lab(inventory)
    chosen = lab.select(hosts)
    if between:
        links.heal_between(lab, chosen)
    else:
        _plug_in(lab, chosen)


def wipe(inventory: Inventory, hosts: Sequence[str], only: str | None = None) -> None:
    """Destroy the disks of hosts that are off: all of them, or only ``etcd``, ``containerd`` or ``kubelet``.

    Raises Refused while one of them runs, BadInput for an unknown part or a host that was never made.
    """
    lab = _lab(inventory)
    chosen = lab.select(hosts)
    if only is not None and only not in PARTS:
        raise BadInput(f"a host's disk has no part {only}", next_step=f"one of {', '.join(PARTS)}")
    _refuse_unmade(lab, chosen, inventory.path)
    _refuse_running(lab, chosen, inventory.path, "only the disk of a host that is off can be wiped")
    for host in chosen:
        kind_of(lab).wipe(lab, host, only)


def console(inventory: Inventory, host: str, lines: int) -> str:
    """The last lines of what a host printed on its console since it was powered on."""
    lab = plan(inventory)
    (chosen,) = lab.select([host])
    return power.last_lines(paths.console_log(lab.name, chosen.name), lines)


def _lab(inventory: Inventory) -> Plan:
    """The lab. Raises Refused where this machine cannot hold it."""
    lab = plan(inventory)
    require_machine(kind_of(lab).tools)
    return lab


def _running(lab: Plan, host: LabHost) -> bool:
    return kind_of(lab).process(host) is not None


def _power_on(lab: Plan, host: LabHost, progress: Progress) -> None:
    kind = kind_of(lab)
    if not _running(lab, host):
        progress(host.name, "booting")
        _clear(lab, host)
        kind.boot(lab, host)
    if not links.is_cut(host):
        wait_for_ssh(lab, host, kind.patience(lab), lambda: power.is_on(host))
        progress(host.name, f"answers on {host.address}")


def _power_off(lab: Plan, hosts: Sequence[LabHost]) -> None:
    power.cut(hosts)
    for host in hosts:
        _clear(lab, host)


def _clear(lab: Plan, host: LabHost) -> None:
    power.clear(host)
    kind_of(lab).clear(host)


def _plug_in(lab: Plan, hosts: Sequence[LabHost]) -> None:
    links.heal(lab, hosts)
    for host in hosts:
        if _running(lab, host):
            kind_of(lab).set_carrier(host, on=True)


def _alone(lab: Plan) -> AbstractContextManager[None]:
    lock = paths.state_directory() / "labs" / f"{lab.name}.lock"
    return exclusive(lock, seconds=60, what=f"changing the lab {lab.name}")


def _strays(lab: Plan) -> Sequence[LabHost]:
    """Hosts that were made from an earlier state of the inventory. Their address no longer matters."""
    directory = paths.lab_directory(lab.name) / "hosts"
    made = sorted(each.name for each in directory.iterdir()) if directory.exists() else []
    known = {host.name for host in lab.hosts}
    return [LabHost(lab.name, name, lab.gateway) for name in made if name not in known]


def _refuse_unmade(lab: Plan, hosts: Sequence[LabHost], inventory: str) -> None:
    unmade = [host.name for host in hosts if not paths.host_directory(lab.name, host.name).exists()]
    if unmade:
        raise BadInput(f"{', '.join(unmade)}: does not exist yet", next_step=f"`haplane lab up {inventory}`")


def _refuse_running(lab: Plan, hosts: Sequence[LabHost], inventory: str, why: str) -> None:
    on = [host.name for host in hosts if _running(lab, host)]
    if on:
        raise Refused(f"{', '.join(on)}: running; {why}", next_step=f"`haplane lab kill {inventory} {' '.join(on)}`")


def _each(hosts: Sequence[LabHost], action: Callable[[LabHost], None]) -> None:
    """Do it to all hosts at once. One failure is raised as it is, several as one error of the first's type."""
    with Threads(len(hosts)) as pool:
        actions = [pool.submit(action, host) for host in hosts]
    failures = [failure for one in actions if (failure := one.exception()) is not None]
    known = [failure for failure in failures if isinstance(failure, HaplaneError)]
    if len(known) > 1 and len(known) == len(failures):
        why = "\n".join(str(failure) for failure in known)
        raise type(known[0])(f"{len(known)} of {len(hosts)} hosts failed", why=why)
    if failures:
        raise failures[0]
