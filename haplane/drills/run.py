"""Run one drill: probe, apply the fault, wait for recovery, undo it, wait for health, read every write back."""

from __future__ import annotations

import secrets
import time

from haplane.drills.client import Client
from haplane.drills.probes import Probes, lost_writes, make_namespace, remove_namespace
from haplane.drills.report import Moments, Report, summarise
from haplane.drills.story import Fault, Scene, Sight, Story
from haplane.drills.timeline import acknowledged_writes, steady_seconds
from haplane.drills.waiting import wait_until
from haplane.errors import DeadlinePassed, Refused

STEADY_BEFORE_SECONDS = 2.0
STEADY_AFTER_SECONDS = 5.0
START_SECONDS = 30.0
RECOVERY_SECONDS = 60.0
HEALTH_SECONDS = 300.0


def decide(story: Story, scene: Scene, wanted: str | None) -> Fault:
    """What the drill would do now. Raises Refused when the cluster is not whole: a second fault proves nothing."""
    sight = scene.look()
    if sight.problems:
        raise Refused(
            f"{story.name}: the cluster is not healthy, and a second fault could take it down",
            where=scene.inventory.cluster.name,
            why="; ".join(sight.problems),
            next_step=f"haplane status {scene.inventory.path}",
        )
    return story.plan(scene, sight, wanted)


def run(story: Story, scene: Scene, fault: Fault) -> Report:
    """Carry the drill out. The fault is undone and the drill's namespace removed however this ends.

    Raises DeadlinePassed when the cluster is not steady at the beginning or not healthy at the end.
    """
    client = Client(scene.target)
    namespace = f"haplane-drill-{secrets.token_hex(4)}"
    make_namespace(client, namespace)
    try:
        with Probes(scene.target, namespace) as probes:
            scene.progress(story.name, "probing the endpoint: 20 reads and 20 writes a second")
            _wait_until_steady(probes, 0.0, STEADY_BEFORE_SECONDS, START_SECONDS)
            faulted = time.monotonic()
            try:
                scene.progress(fault.host, "fault applied")
                fault.apply()
                _recovers(probes, faulted, scene)
            finally:
                restored = time.monotonic()
                scene.progress(fault.host, "fault undone")
                fault.undo()
            _wait_until_healthy(scene)
            healthy = time.monotonic()
            _wait_until_steady(probes, healthy, STEADY_AFTER_SECONDS, RECOVERY_SECONDS)
            requests = probes.stop()
        scene.progress(story.name, "reading every acknowledged write back")
        lost = lost_writes(client, namespace, acknowledged_writes(requests))
    finally:
        remove_namespace(client, namespace)
    return summarise(story.name, fault.host, requests, lost, Moments(faulted, restored, healthy))


def _wait_until_steady(probes: Probes, since: float, seconds: float, deadline: float) -> None:
    def steady() -> bool:
        return steady_seconds(request for request in probes.requests() if request.sent >= since) >= seconds

    wait_until(steady, deadline, f"{seconds:g} s in which every read and write is answered")


def _recovers(probes: Probes, faulted: float, scene: Scene) -> None:
    """Wait for steady service after the fault; when it does not come the report says so, and the fault is undone."""
    try:
        _wait_until_steady(probes, faulted, STEADY_AFTER_SECONDS, RECOVERY_SECONDS)
    except DeadlinePassed:
        scene.progress(scene.inventory.cluster.name, f"no steady service {RECOVERY_SECONDS:g} s after the fault")


def _wait_until_healthy(scene: Scene) -> None:
    seen: list[Sight] = []

    def healthy() -> bool:
        seen[:] = [scene.look()]
        return not seen[0].problems

    def problems() -> str:
        return "; ".join(seen[0].problems)

    wait_until(healthy, HEALTH_SECONDS, "the cluster is healthy again", every=1.0, why=problems)
