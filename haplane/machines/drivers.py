"""Which driver switches the power of an inventory's hosts."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.executor import Executor
from haplane.machines.command import CommandMachines
from haplane.machines.lab import LabMachines
from haplane.machines.over_ssh import SshMachines
from haplane.machines.protocol import Machines


def driver_for(inventory: Inventory, executor: Executor) -> Machines:
    """The lab's, the inventory's own commands, or what SSH alone can do."""
    if inventory.cluster.lab is not None:
        return LabMachines(inventory)
    if (commands := inventory.cluster.drills.power) is not None:
        return CommandMachines(inventory, commands)
    return SshMachines(inventory, executor)
