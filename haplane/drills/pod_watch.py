"""Pods of each kind on a node that dies: when each is deleted, gone, and serving again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from haplane.drills.client import Client, NoReply
from haplane.drills.drill import DrillContext, shell
from haplane.drills.limits import Figure
from haplane.drills.pod_set import PodSet
from haplane.drills.pods import REPLACED, is_ready
from haplane.errors import DeadlinePassed
from haplane.machines.protocol import Armed
from haplane.scripts import script
from haplane.waiting import wait_until

NOT_READY_SECONDS = 120.0
WATCHED_SECONDS = 600.0


class PodWatch:
    """One drill's pods. ``limit``: seconds until the replaced kinds serve again."""

    def __init__(self, context: DrillContext, node: str, *, tainted: bool, limit: float) -> None:
        self._context = context
        self._client = Client(context.target)
        self._node = node
        self._tainted = tainted
        self._limit = limit
        self._pods = PodSet(self._client, node)
        self._not_ready: float | None = None

    def prepare(self) -> None:
        """Start them and wait until each is ready on the node."""
        self._pods.start()

    def watch(self) -> None:
        """From the fault on, until all that are replaced serve elsewhere."""
        began = self._pods.follow()
        wait_until(self._is_not_ready, NOT_READY_SECONDS, f"{self._node} is NotReady", every=0.5)
        self._not_ready = time.monotonic() - began
        with self._taint() as taint:
            if taint is not None:
                self._context.progress(self._node, "NotReady; tainting it out-of-service")
                taint.apply()
            if not self._pods.serve_again(REPLACED, WATCHED_SECONDS):
                raise DeadlinePassed(f"not within {WATCHED_SECONDS:g} s: every replaced pod serves again")

    def clean_up(self) -> None:
        """Remove them, if any was made."""
        self._pods.clean_up()

    def figures(self) -> Sequence[Figure]:
        """Seconds from the power cut, by kind."""
        found = [Figure("node NotReady after", self._not_ready or 0.0, None)]
        for kind, fate in self._pods.fates.items():
            times = {"deleted": fate.deleted, "gone": fate.gone}
            found += [Figure(f"{kind}: pod {what} after", at, None) for what, at in times.items() if at is not None]
            if kind in REPLACED:
                serving = float("inf") if fate.serving is None else fate.serving
                found.append(Figure(f"{kind}: serving again after", serving, self._limit))
        return found

    def _taint(self) -> AbstractContextManager[Armed | None]:
        if not self._tainted:
            return nullcontext()
        survivor = next(host for host in self._context.inventory.masters if host.name != self._node)
        apply, undo = (
            script("taint_out_of_service", node=self._node),
            script("untaint_out_of_service", node=self._node),
        )
        return shell(survivor, apply, undo)(WATCHED_SECONDS)

    def _is_not_ready(self) -> bool:
        try:
            reply = self._client.request("GET", f"/api/v1/nodes/{self._node}")
        except NoReply:
            return False
        return reply.ok and not is_ready(reply.document())
