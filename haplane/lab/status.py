"""The state of a lab's hosts, as seen from this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from haplane.config.model import Inventory
from haplane.lab import links, paths
from haplane.lab.command import require_machine
from haplane.lab.kinds import kind_of
from haplane.lab.login import accepts_login
from haplane.lab.plan import LabHost, Plan, plan
from haplane.threads import Threads


@dataclass(frozen=True)
class HostState:
    """``absent``: never made. ``stopped``: has a disk, no power. ``cut``: runs, unplugged. ``pid``: its init's, or
    its QEMU's.
    """

    name: str
    address: str
    state: Literal["absent", "stopped", "running", "cut"]
    pid: int | None
    ssh_answers: bool


def status(inventory: Inventory) -> list[HostState]:
    """The state of every host, in the inventory's order. Raises Refused where no lab can be."""
    lab = plan(inventory)
    require_machine(kind_of(lab).tools)
    with Threads(len(lab.hosts)) as pool:
        return list(pool.map(lambda host: _state(lab, host), lab.hosts))


def _state(lab: Plan, host: LabHost) -> HostState:
    kind = kind_of(lab)
    process = kind.process(host)
    made = paths.host_directory(host.lab, host.name).exists()
    off: Literal["absent", "stopped"] = "stopped" if made else "absent"
    on: Literal["running", "cut"] = "cut" if links.is_cut(host) else "running"
    state = off if process is None else on
    answers = state == "running" and accepts_login(host, kind.patience(lab).login_seconds)
    return HostState(host.name, str(host.address), state, process, answers)
