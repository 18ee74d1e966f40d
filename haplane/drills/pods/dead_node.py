"""Pods of each kind on a node that dies: when each is deleted, gone, and serving again."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum

from haplane.drills.drill import DrillContext, shell
from haplane.drills.limits import Figure
from haplane.drills.pods.pod_kinds import CLAIMS, KINDS, NOT_REPLACED, WITH_VOLUME, WITHOUT_THE_NODE
from haplane.drills.pods.pod_set import PodSet, image_of
from haplane.drills.pods.volumes import Volumes, why_none
from haplane.machines.protocol import Armed
from haplane.scripts import script
from haplane.waiting import wait_until

NOTICED_SECONDS = 70.0
"""Of spare time until a node is NotReady: the controller manager looks every 5 s, and leads anew if it died too."""

TAINT_SECONDS = 40.0
"""Until all is well elsewhere once the taint is set: pods are collected every 20 s, then attached and started."""

EVICTED_SECONDS = 130.0
"""Until pods that were deleted for the node's sake are replaced."""

RETURN_SECONDS = 180.0
"""Until pods that wait for the node serve once it has power."""

BACK_AFTER_SECONDS = 60.0
REFUSED_ATTACH = re.compile(r"Multi-Attach error|Waiting for detach")
"""Kubernetes up to 1.36, and from 1.37 on: what it writes while another node still has the volume."""


class After(Enum):
    """What happens once the node is dead."""

    TAINTED = (
        "it taints the Node out-of-service once it is NotReady, until every pod that is replaced serves elsewhere"
    )
    OFF = "it leaves the rest to Kubernetes, until every pod that is replaced meanwhile serves elsewhere"
    BACK = f"it stays off for {BACK_AFTER_SECONDS:.0f} s"


class DeadNode:
    """One drill's pods, on the node of that name."""

    def __init__(self, context: DrillContext, node: str, after: After) -> None:
        cluster = context.inventory.cluster
        self._context = context
        self._client = context.client
        self._node = node
        self._after = after
        self._grace = float(cluster.node_monitor_grace_seconds)
        self._toleration = float(cluster.unreachable_toleration_seconds)
        self._pods = PodSet(self._client, node)
        self.no_volumes = why_none(context.inventory)
        self._volumes = Volumes(context, self._client, node, self._pods.namespace)
        self._refused: Sequence[str] = ()
        self._began = self._back = 0.0

    @property
    def longest(self) -> float:
        """How many seconds the node is off at most."""
        replaced = {After.TAINTED: RETURN_SECONDS, After.OFF: self._toleration + EVICTED_SECONDS}
        return self._grace + NOTICED_SECONDS + replaced.get(self._after, BACK_AFTER_SECONDS)

    def prepare(self) -> None:
        """Start them, with volumes where the bundle has a driver, and wait until each is ready on the node."""
        image = image_of(self._client, self._node, "pause")
        if self.no_volumes:
            self._pods.start(image)
            return
        self._context.progress(self._node, "starting a volume driver on every node")
        self._volumes.start(image, list(CLAIMS.values()))
        self._pods.start(image, (*KINDS, *WITH_VOLUME))

    def watch(self) -> None:
        """From the fault on, until all that are replaced elsewhere serve there."""
        self._began = self._pods.follow()
        if self._after is After.BACK:
            return
        seconds = self._grace + NOTICED_SECONDS
        wait_until(lambda: self._pods.not_ready is not None, seconds, f"{self._node} is NotReady")
        with self._taint() as taint:
            if taint is not None:
                self._context.progress(self._node, "NotReady; tainting it out-of-service")
                taint.apply()
            self._pods.serve_again(self._replaced(), self.longest - seconds)

    def wait_for_the_rest(self) -> None:
        """Once the host responds again, for those that waited for it. A bare pod that was deleted never comes."""
        self._back = time.monotonic() - self._began
        waiting = [kind for kind, fate in self._pods.fates.items() if kind != "Pod" or fate.deleted is None]
        self._pods.serve_again(waiting if self._after is not After.TAINTED else self._replaced(), RETURN_SECONDS)
        found = self._pods.events("FailedAttachVolume")
        self._refused = sorted({match[0] for text in found if (match := REFUSED_ATTACH.search(text))})

    def clean_up(self) -> None:
        """Remove all that was made."""
        self._pods.clean_up()
        self._volumes.clean_up()

    def figures(self) -> Sequence[Figure]:
        """The cluster's settings, and seconds from the power cut, by kind."""
        found = [
            Figure("node_monitor_grace_seconds", self._grace, None),
            Figure("unreachable_toleration_seconds", self._toleration, None),
        ]
        if self._pods.not_ready is not None:
            found.append(Figure("node NotReady after", self._pods.not_ready, None))
        found.append(Figure("host back after", self._back, None))
        for kind, fate in self._pods.fates.items():
            times = {"deleted": fate.deleted, "gone": fate.gone}
            found += [Figure(f"{kind}: pod {what} after", at, None) for what, at in times.items() if at is not None]
            if fate.serving is not None or self._limit(kind) is not None:
                serving = float("inf") if fate.serving is None else fate.serving
                found.append(Figure(f"{kind}: serving again after", serving, self._limit(kind)))
        return [*found, self._volume_figure()]

    def _volume_figure(self) -> Figure:
        if self.no_volumes:
            return Figure("pods with volumes", 0, None, "", f"left out: {self.no_volumes}")
        met = ", ".join(self._refused)
        return Figure(
            "event of a volume that another node has",
            len(self._refused),
            None,
            "",
            f"met: {met}" if met else "not met",
        )

    def _replaced(self) -> Sequence[str]:
        """Those that serve elsewhere while the node is off.

        Without the taint the pod's object stays. As long as it does, a StatefulSet starts no other pod, and no volume
        is detached: the attach/detach controller's 6 minutes (force detach) only begin when it is gone.
        """
        kinds = [kind for kind in self._pods.fates if kind not in NOT_REPLACED]
        return kinds if self._after is After.TAINTED else [kind for kind in kinds if kind in WITHOUT_THE_NODE]

    def _limit(self, kind: str) -> float | None:
        """Seconds until the kind serves again; None where nothing is promised."""
        if self._after is After.BACK:
            return None if kind == "Pod" else BACK_AFTER_SECONDS + RETURN_SECONDS
        if kind not in self._replaced():
            return None
        if self._after is After.TAINTED:
            return self._grace + TAINT_SECONDS
        return self._grace + self._toleration + EVICTED_SECONDS

    def _taint(self) -> AbstractContextManager[Armed | None]:
        if self._after is not After.TAINTED:
            return nullcontext()
        survivor = next(host for host in self._context.inventory.masters if host.name != self._node)
        apply, undo = (
            script("taint_out_of_service", node=self._node),
            script("untaint_out_of_service", node=self._node),
        )
        return shell(survivor, apply, undo)(self.longest)
