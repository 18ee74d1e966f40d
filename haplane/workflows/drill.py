"""``haplane drill``: what a drill needs of the rest of haplane."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.domain.status import Status
from haplane.drills.credentials import administrator
from haplane.drills.story import Scene
from haplane.errors import Refused
from haplane.lab.driver import LabMachines
from haplane.workflows.status import status


def scene(inventory: Inventory, progress: Progress) -> Scene:
    """The cluster as a drill sees it. Raises Refused for machines whose power nobody here can cut."""
    if inventory.cluster.lab is None:
        raise Refused(
            "haplane can cut the power of lab machines only",
            where=inventory.path,
            why="this inventory has no lab: its machines are real",
            next_step="run the drill on inventories/lab.py",
        )

    def look() -> Status:
        return status(inventory, silent)

    return Scene(inventory, LabMachines(inventory), look, administrator(inventory), progress)
