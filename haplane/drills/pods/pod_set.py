"""A drill's pods in a namespace of their own: started on a node, followed from the fault on, and removed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any

from haplane.drills.pods.pod_kinds import KINDS, LABEL, Fate, Seen, is_ready, note, objects, seen
from haplane.drills.probing.client import Client, NoReply
from haplane.drills.probing.writes import (
    PREFIX,
    create,
    make_pods_namespace,
    remove_namespace,
    request_until_answered,
)
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.waiting import wait_until

START_SECONDS = 60.0
ATTACH_SECONDS = 60.0
POLL_SECONDS = 0.5


class PodSet:
    """One pod of each kind. ``fates`` and ``not_ready``, the seconds until the node was NotReady, are written by a
    thread from ``follow`` to ``clean_up``.
    """

    def __init__(self, client: Client, node: str) -> None:
        self.client = client
        self.node = node
        self.namespace = f"{PREFIX}{secrets.token_hex(4)}"
        self.fates: dict[str, Fate] = {}
        self.first: dict[str, Seen] = {}
        self.not_ready: float | None = None
        self._made = False
        self._over = threading.Event()

    def start(self, image: str, kinds: Sequence[str] = KINDS) -> None:
        """Make a pod of each of these kinds and wait until all are ready on the node."""
        self.fates = {kind: Fate() for kind in kinds}
        self._made = True
        make_pods_namespace(self.client, self.namespace)
        for path, body in objects(self.namespace, image, self.node, kinds):
            create(self.client, path, body)
        seconds = START_SECONDS + ATTACH_SECONDS * (len(kinds) > len(KINDS))
        wait_until(self._all_ready, seconds, f"a pod of each kind is ready on {self.node}", every=1.0)
        self.first = {pod["metadata"]["labels"][LABEL]: seen(pod) for pod in self._pods()}

    def follow(self) -> float:
        """Note from now, the moment of the fault, what becomes of them; returns it on the monotonic clock."""
        began = time.monotonic()
        threading.Thread(target=self._follow, args=(began,), daemon=True).start()
        return began

    def serve_again(self, kinds: Collection[str], seconds: float) -> bool:
        """Wait until a pod of each of these kinds was started since the fault and is ready: whether all were."""
        what = f"pods of {', '.join(kinds)} serve again"
        try:
            wait_until(lambda: all(self.fates[kind].serving is not None for kind in kinds), seconds, what)
        except DeadlinePassed:
            return False
        return True

    def clean_up(self) -> None:
        """Remove them, if any was made."""
        self._over.set()
        if self._made:
            remove_namespace(self.client, self.namespace)

    def events(self, reason: str) -> Sequence[str]:
        """The texts of this reason's events about these pods."""
        path = f"/api/v1/namespaces/{self.namespace}/events"
        items = request_until_answered(self.client, "GET", path).document().get("items", ())
        return [str(one.get("message", "")) for one in items if one.get("reason") == reason]

    def _follow(self, began: float) -> None:
        while not self._over.wait(POLL_SECONDS):
            try:
                self._look(began)
            except (NoReply, ValueError, LookupError, TypeError):  # asked again at once
                continue

    def _look(self, began: float) -> None:
        reply = self.client.request("GET", self._path, seconds=5.0)
        if reply.ok:
            note(self.fates, reply.document()["items"], self.first, time.monotonic() - began)
        node = self.client.request("GET", f"/api/v1/nodes/{self.node}")
        if node.ok and self.not_ready is None and not is_ready(node.document()):
            self.not_ready = time.monotonic() - began

    def _all_ready(self) -> bool:
        there = [pod for pod in self._pods() if pod["spec"].get("nodeName") == self.node and is_ready(pod)]
        return len(there) == len(self.fates)

    def _pods(self) -> Sequence[dict[str, Any]]:
        return list(request_until_answered(self.client, "GET", self._path).document()["items"])

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"


def image_of(client: Client, node: str, name: str) -> str:
    """An image that the node has, by the last word of its repository. Raises HaplaneError when it has none."""
    images = request_until_answered(client, "GET", f"/api/v1/nodes/{node}").document()["status"]["images"]
    found = [each for image in images for each in image.get("names") or () if f"/{name}:" in each]
    if not found:
        raise HaplaneError(f"{node} has no {name} image to run pods from", next_step="`haplane up INVENTORY`")
    return str(found[0])
