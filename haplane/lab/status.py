"""What a lab's hosts are doing, as seen from this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from haplane.config.model import Inventory
from haplane.lab import paths, wires
from haplane.lab.command import require_machine
from haplane.lab.host import init_process, lets_in
from haplane.lab.plan import LabHost, plan


@dataclass(frozen=True)
class HostState:
    """``absent``: never made. ``stopped``: has a disk, no power. ``cut``: runs, unplugged. ``pid``: its init's."""

    name: str
    address: str
    state: Literal["absent", "stopped", "running", "cut"]
    pid: int | None
    ssh_answers: bool


def status(inventory: Inventory) -> list[HostState]:
    """The state of every host, in the inventory's order. Raises Refused where no lab can be."""
    require_machine()
    hosts = plan(inventory).hosts
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        return list(pool.map(_state, hosts))


def _state(host: LabHost) -> HostState:
    process = init_process(host)
    made = paths.host_directory(host.lab, host.name).exists()
    off: Literal["absent", "stopped"] = "stopped" if made else "absent"
    on: Literal["running", "cut"] = "cut" if wires.is_cut(host) else "running"
    state = off if process is None else on
    return HostState(host.name, str(host.address), state, process, state == "running" and lets_in(host))
