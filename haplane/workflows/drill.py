"""``haplane drill``: what a drill needs of the rest of haplane."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain.progress import Progress, silent
from haplane.domain.status import Status
from haplane.drills.credentials import administrator
from haplane.drills.report import Report
from haplane.drills.run import run
from haplane.drills.story import Fault, Scene, Story
from haplane.errors import Refused
from haplane.lab.driver import LabMachines
from haplane.remote.lock import locked
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


def drill(story: Story, stage: Scene, fault: Fault, *, in_cluster: bool) -> Report:
    """Carry it out while no other run may change the cluster: the lock is held on every host but the one that fails.

    Raises Locked when another run holds it, and what :func:`haplane.drills.run.run` raises.
    """
    inventory = stage.inventory
    others = [host for host in inventory.hosts if host.name != fault.host]
    with locked(inventory, others, f"haplane drill {story.name} {inventory.path}", stage.progress):
        return run(story, stage, fault, in_cluster=in_cluster)
