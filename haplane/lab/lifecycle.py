"""What can be done to a lab and its hosts. Each function is safe to repeat, and returns when it is done.

An empty list of hosts means all of the lab's. Host names that the lab does not have raise BadInput.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.errors import BadInput, HaplaneError, Refused
from haplane.lab import network, paths, wires
from haplane.lab.command import exclusive, require_machine
from haplane.lab.disk import REAL_DIRECTORIES, wipe_disk
from haplane.lab.host import boot, power_cut, running, wait_for_ssh
from haplane.lab.identity import ensure_identity
from haplane.lab.image import ensure_image
from haplane.lab.plan import LabHost, Plan, plan

BOOT_SECONDS = 60.0
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_NEEDED = 1024  # five masters and two load balancers use all of the usual 128


def up(inventory: Inventory, progress: Progress = silent, hosts: Sequence[str] = ()) -> None:
    """Make and power on the lab's hosts, with all cables in; hosts that run are left running.

    Cleans what an earlier, killed lab of that name left. Raises Refused where this machine cannot hold the lab,
    DeadlinePassed (with the console's last lines) when a host does not answer over SSH in BOOT_SECONDS.
    """
    require_machine()
    lab = plan(inventory)
    chosen = lab.select(hosts)
    with _alone(lab):
        ensure_image(progress)
        ensure_identity(lab)
        _allow_inotify(progress)
        network.ensure_bridge(lab)
        wires.heal(lab, chosen)
        _each(chosen, lambda host: _power_on(lab, host, progress))


def down(inventory: Inventory, progress: Progress = silent) -> None:
    """Power off the lab and remove all of it, disks included; only the base image and the keys stay."""
    require_machine()
    lab = plan(inventory)
    with _alone(lab):
        progress(lab.name, "powering off")
        power_cut([*lab.hosts, *_strays(lab)])
        network.remove_bridge(lab)
        progress(lab.name, "removing disks")
        directory = paths.lab_directory(lab.name)
        if directory.exists():
            shutil.rmtree(directory)
        progress(lab.name, "gone")


def kill(inventory: Inventory, hosts: Sequence[str] = ()) -> None:
    """Cut the power of hosts, all at the same moment. Their disks stay; their peers find out by timeout."""
    require_machine()
    power_cut(plan(inventory).select(hosts))


def start(inventory: Inventory, hosts: Sequence[str] = (), progress: Progress = silent) -> None:
    """Power on hosts that are off, with the disks they had, and wait until they answer over SSH."""
    require_machine()
    lab = plan(inventory)
    chosen = lab.select(hosts)
    _refuse_unmade(lab, chosen, inventory.path)
    if lab.bridge not in network.owned_bridges(lab):
        network.ensure_bridge(lab)
    _each(chosen, lambda host: _power_on(lab, host, progress))


def cut(inventory: Inventory, hosts: Sequence[str] = (), *, between: bool = False) -> None:
    """Unplug hosts; with ``between`` and exactly two, cut only the wire between these two."""
    require_machine()
    lab = plan(inventory)
    chosen = lab.select(hosts)
    off = [host.name for host in chosen if not running(host)]
    if off:
        raise Refused(f"{', '.join(off)}: off, so there is no cable to cut", next_step="haplane lab status")
    if between:
        wires.cut_between(lab, chosen)
    else:
        wires.cut(chosen)


def heal(inventory: Inventory, hosts: Sequence[str] = (), *, between: bool = False) -> None:
    """Plug hosts in and mend all their wires; with ``between`` and exactly two, only the wire between these two."""
    require_machine()
    lab = plan(inventory)
    chosen = lab.select(hosts)
    if between:
        wires.heal_between(lab, chosen)
    else:
        wires.heal(lab, chosen)


def wipe(inventory: Inventory, hosts: Sequence[str], only: str | None = None) -> None:
    """Destroy the disks of hosts that are off: all of them, or only ``etcd``, ``containerd`` or ``kubelet``.

    Raises Refused while one of them runs, BadInput for an unknown part or a host that was never made.
    """
    require_machine()
    lab = plan(inventory)
    chosen = lab.select(hosts)
    if only is not None and only not in REAL_DIRECTORIES:
        raise BadInput(f"a host's disk has no part {only}", next_step=f"one of {', '.join(REAL_DIRECTORIES)}")
    _refuse_unmade(lab, chosen, inventory.path)
    on = [host.name for host in chosen if running(host)]
    if on:
        raise Refused(
            f"{', '.join(on)}: running, and a running host's disk is not wiped",
            next_step=f"haplane lab kill {inventory.path} {' '.join(on)}",
        )
    for host in chosen:
        wipe_disk(lab, host, only)


def _power_on(lab: Plan, host: LabHost, progress: Progress) -> None:
    if not running(host):
        progress(host.name, "booting")
        boot(lab, host)
    if not wires.is_cut(host):
        wait_for_ssh(lab, host, BOOT_SECONDS)
        progress(host.name, f"answers on {host.address}")


def _alone(lab: Plan) -> AbstractContextManager[None]:
    lock = paths.state_directory() / "labs" / f"{lab.name}.lock"
    return exclusive(lock, seconds=BOOT_SECONDS, what=f"changing the lab {lab.name}")


def _strays(lab: Plan) -> Sequence[LabHost]:
    """Hosts that were made from an earlier state of the inventory. Their address no longer matters."""
    directory = paths.lab_directory(lab.name) / "hosts"
    made = sorted(each.name for each in directory.iterdir()) if directory.exists() else []
    known = {host.name for host in lab.hosts}
    return [LabHost(lab.name, name, lab.gateway) for name in made if name not in known]


def _refuse_unmade(lab: Plan, hosts: Sequence[LabHost], inventory: str) -> None:
    unmade = [host.name for host in hosts if not paths.host_directory(lab.name, host.name).exists()]
    if unmade:
        raise BadInput(f"{', '.join(unmade)}: not made yet", next_step=f"haplane lab up {inventory}")


def _allow_inotify(progress: Progress) -> None:
    allowed = int(INOTIFY_INSTANCES.read_text())
    if allowed < INOTIFY_NEEDED:
        INOTIFY_INSTANCES.write_text(str(INOTIFY_NEEDED))
        progress("this machine", f"fs.inotify.max_user_instances raised from {allowed} to {INOTIFY_NEEDED}")


def _each(hosts: Sequence[LabHost], action: Callable[[LabHost], None]) -> None:
    """Do it to all hosts at once. One failure is raised as it is, several as one error of the first's type."""
    with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
        actions = [pool.submit(action, host) for host in hosts]
    failures = [failure for one in actions if (failure := one.exception()) is not None]
    told = [failure for failure in failures if isinstance(failure, HaplaneError)]
    if len(told) > 1 and len(told) == len(failures):
        why = "\n".join(str(failure) for failure in told)
        raise type(told[0])(f"{len(told)} of {len(hosts)} hosts failed", why=why)
    if failures:
        raise failures[0]
