"""``haplane status``: observe and summarise. It changes nothing and needs no lock."""

from __future__ import annotations

import threading
from dataclasses import replace

from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.request import Request
from haplane.domain.progress import Progress
from haplane.domain.status import Status
from haplane.errors import Unreachable
from haplane.executor import Executor
from haplane.observation.health import judge
from haplane.observation.observe import observe
from haplane.recovery.places import count_in_bucket
from haplane.workflows.prepare import over_ssh

BUCKET_SECONDS = 3.0
"""How long the status waits for the bucket besides the hosts."""


def status(inventory: Inventory, progress: Progress, *, executor: Executor | None = None) -> Status:
    """What is known now. With every host down it still names them, and the endpoint that does not respond."""
    context = Context(Request(inventory), executor or over_ssh(progress))
    counted: list[int | None] = []
    counting = threading.Thread(target=lambda: counted.append(count_in_bucket(inventory)), daemon=True)
    counting.start()
    try:
        observe(context)
    except Unreachable:
        progress("status", "no host can be reached")
    found = judge(context)
    counting.join(BUCKET_SECONDS)
    return replace(found, snapshots=replace(found.snapshots, remote=counted[0] if counted else None))
