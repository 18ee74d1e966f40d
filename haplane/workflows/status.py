"""``haplane status``: observe and say. It changes nothing and needs no lock."""

from __future__ import annotations

from haplane.config.model import Inventory
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.errors import Unreachable
from haplane.phases.confirm_health import judge
from haplane.phases.observe import observe
from haplane.workflows.up import prepare


def status(inventory: Inventory, progress: Progress) -> Status:
    """What is known now. With every host down it still says which ones, and that the endpoint is silent."""
    run = prepare(inventory, progress)
    try:
        observe(run)
    except Unreachable:
        progress("status", "no host can be reached")
    return judge(run)
