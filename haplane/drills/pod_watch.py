"""Starts a pod of each kind on a node, follows them while it is dead, and removes them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from haplane.drills.client import Client, NoReply
from haplane.drills.drill import DrillContext, shell
from haplane.drills.limits import Figure
from haplane.drills.pods import KINDS, LABEL, REPLACED, Fate, is_ready, note, objects
from haplane.drills.writes import PREFIX, make_namespace, remove_namespace, request_until_answered
from haplane.errors import HaplaneError
from haplane.machines.protocol import Armed
from haplane.scripts import script
from haplane.waiting import wait_until

START_SECONDS = 60.0
NOT_READY_SECONDS = 120.0
WATCHED_SECONDS = 600.0
GROUPS = {"pods": "/api/v1", "jobs": "/apis/batch/v1"}


class PodWatch:
    """One drill's pods, in a namespace of their own. ``limit``: seconds until the replaced kinds serve again."""

    def __init__(self, context: DrillContext, node: str, *, tainted: bool, limit: float) -> None:
        self._context = context
        self._client = Client(context.target)
        self._node = node
        self._tainted = tainted
        self._limit = limit
        self._namespace = f"{PREFIX}{secrets.token_hex(4)}"
        self._first: dict[str, str] = {}
        self._fates = {kind: Fate() for kind in KINDS}
        self._not_ready: float | None = None
        self._made = False

    def prepare(self) -> None:
        """Start them and wait until each is ready on the node."""
        self._made = True
        make_namespace(self._client, self._namespace)
        for collection, body in objects(self._image(), self._node):
            path = f"{GROUPS.get(collection, '/apis/apps/v1')}/namespaces/{self._namespace}/{collection}"
            reply = request_until_answered(self._client, "POST", path, body)
            if not reply.ok:
                raise HaplaneError(f"cannot create {collection}", why=f"{reply.status}: {reply.body[:300]!r}")
        wait_until(self._all_ready, START_SECONDS, f"a pod of each kind is ready on {self._node}", every=1.0)
        self._first = {pod["metadata"]["labels"][LABEL]: pod["metadata"]["uid"] for pod in self._pods()}

    def watch(self) -> None:
        """From the fault on, until all that are replaced serve elsewhere."""
        began = time.monotonic()
        wait_until(self._is_not_ready, NOT_READY_SECONDS, f"{self._node} is NotReady", every=0.5)
        self._not_ready = time.monotonic() - began
        with self._taint() as taint:
            if taint is not None:
                self._context.progress(self._node, "NotReady; tainting it out-of-service")
                taint.apply()
            wait_until(lambda: self._all_serve(began), WATCHED_SECONDS, "every replaced pod serves again", every=0.5)

    def clean_up(self) -> None:
        """Remove them, if any was made."""
        if self._made:
            remove_namespace(self._client, self._namespace)

    def figures(self) -> Sequence[Figure]:
        """Seconds from the power cut, by kind."""
        found = [Figure("node NotReady after", self._not_ready or 0.0, None)]
        for kind, fate in self._fates.items():
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

    def _pods(self) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        return list(request_until_answered(self._client, "GET", path).document()["items"])

    def _all_ready(self) -> bool:
        there = [pod for pod in self._pods() if pod["spec"].get("nodeName") == self._node and is_ready(pod)]
        return len(there) == len(KINDS)

    def _all_serve(self, began: float) -> bool:
        note(self._fates, self._pods(), self._first, time.monotonic() - began)
        return all(self._fates[kind].serving is not None for kind in REPLACED)

    def _is_not_ready(self) -> bool:
        try:
            reply = self._client.request("GET", f"/api/v1/nodes/{self._node}")
        except NoReply:
            return False
        return reply.ok and not is_ready(reply.document())

    def _image(self) -> str:
        """The pause image, which every node has."""
        path = f"/api/v1/nodes/{self._node}"
        images = request_until_answered(self._client, "GET", path).document()["status"]["images"]
        names = [name for image in images for name in image["names"] if "/pause:" in name]
        if not names:
            raise HaplaneError(f"{self._node} has no pause image to run pods from")
        return str(names[0])
