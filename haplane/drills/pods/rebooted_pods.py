"""Pods of each kind on a node that reboots: their names, addresses, restarts, and what empty directories kept."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence

from haplane.drills.drill import DrillContext
from haplane.drills.limits import Figure
from haplane.drills.pods.pod_kinds import EMPTY_DIRS, KINDS, Fate, Seen
from haplane.drills.pods.pod_set import PodSet, image_of
from haplane.scripts import script

READY_SECONDS = 300.0
"""From the moment that the host responds again, however long its boot took: a pod that is not ready by then fails."""

UID = re.compile(r"[0-9a-f-]{36}", re.ASCII)


class RebootedPods:
    """One drill's pods, on the node of that name."""

    def __init__(self, context: DrillContext, node: str) -> None:
        self._context = context
        self._host = context.inventory.host(node)
        self._client = context.client
        self._pods = PodSet(self._client, node)
        self._word = secrets.token_hex(8)
        self._kept: set[tuple[str, str]] = set()

    def prepare(self) -> None:
        """Start them, and leave a word in each empty directory."""
        self._pods.start(image_of(self._client, self._host.name, "pause"))
        uids = _uids(self._pods.first.values())
        self._context.executor.run(self._host, "sh", "-c", script("mark_empty_dirs", uids, word=self._word))

    def follow(self) -> None:
        """From the power cut on."""
        self._pods.follow()

    def wait(self) -> None:
        """Once the host responds again, until every kind serves; then look for the words."""
        self._pods.serve_again(KINDS, READY_SECONDS)
        uids = _uids(fate.then for fate in self._pods.fates.values() if fate.then is not None)
        read = script("read_empty_dirs", uids, word=self._word)
        printed = self._context.executor.run(self._host, "sh", "-c", read).decode()
        self._kept = {(uid, name) for uid, _, name in (line.partition(" ") for line in printed.splitlines())}

    def clean_up(self) -> None:
        """Remove them, if any was made."""
        self._pods.clean_up()

    def figures(self) -> Sequence[Figure]:
        """Of each kind: seconds from the power cut until a pod was ready again, and which pod with which data."""
        return [figure for kind, fate in self._pods.fates.items() for figure in self._figures(kind, fate)]

    def _figures(self, kind: str, fate: Fate) -> Sequence[Figure]:
        if fate.serving is None or fate.then is None:
            return [Figure(f"{kind}: ready again after", float("inf"), READY_SECONDS)]
        kept = [name for name in EMPTY_DIRS if (fate.then.uid, name) in self._kept]
        held = ", ".join(f"{name} {'kept' if name in kept else 'lost'}" for name in EMPTY_DIRS)
        return [
            Figure(f"{kind}: ready again after", fate.serving, None),
            Figure(f"{kind}: restarts", fate.then.restarts, None, "", compared(self._pods.first[kind], fate.then)),
            Figure(f"{kind}: empty directories kept", len(kept), None, "", held),
        ]


def compared(before: Seen, after: Seen) -> str:
    """The pod before and the one that is ready now, in words."""
    address = "same address" if before.address == after.address else "new address"
    if before.uid != after.uid:
        name = "same name" if before.name == after.name else "new name"
        return f"another pod, {name}, {address}"
    return f"same pod, RESTARTS + {after.restarts - before.restarts}, {address}"


def _uids(pods: Iterable[Seen]) -> list[str]:
    """They become parts of paths on the host."""
    return [pod.uid for pod in pods if UID.fullmatch(pod.uid)]
