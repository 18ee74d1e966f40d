"""Run one drill: probe, apply the fault, wait for recovery, undo it, wait for health, read every write back."""

from __future__ import annotations

import secrets
import time
from contextlib import AbstractContextManager, nullcontext

from haplane.drills.client import Client
from haplane.drills.probes import endpoint_prober, host_with_dns, in_cluster_prober
from haplane.drills.recording import Recording
from haplane.drills.report import Report, Watched, summarise
from haplane.drills.story import Fault, Scene, Story
from haplane.drills.timeline import acknowledged_writes, steady_seconds
from haplane.drills.writes import lost_writes, make_namespace, remove_namespace
from haplane.errors import DeadlinePassed, Refused
from haplane.waiting import wait_until

STEADY_BEFORE_SECONDS = 2.0
STEADY_AFTER_SECONDS = 5.0
START_SECONDS = 30.0
RECOVERY_SECONDS = 60.0
HEALTH_SECONDS = 300.0


def decide(story: Story, scene: Scene, wanted: str | None) -> Fault:
    """What the drill would do now. Raises Refused when the cluster is not whole: a second fault proves nothing."""
    status = scene.look()
    if not status.healthy:
        raise Refused(
            f"{story.name}: the cluster is not healthy, and a second fault could take it down",
            where=scene.inventory.cluster.name,
            why="; ".join(status.problems),
            next_step=f"haplane status {scene.inventory.path}",
        )
    return story.plan(scene, status, wanted)


def run(story: Story, scene: Scene, fault: Fault, *, in_cluster: bool = False) -> Report:
    """Carry the drill out. The fault is undone and the drill's namespace removed however this ends.

    With ``in_cluster`` a pod's network on a surviving master is watched as well. Raises DeadlinePassed when the
    cluster is not steady at the beginning or not healthy at the end.
    """
    client = Client(scene.target)
    namespace = f"haplane-drill-{secrets.token_hex(4)}"
    make_namespace(client, namespace)
    try:
        watched = _carry_out(story, scene, fault, namespace, in_cluster)
        scene.progress(story.name, "reading every acknowledged write back")
        lost = lost_writes(client, namespace, acknowledged_writes(watched.requests))
    finally:
        remove_namespace(client, namespace)
    return summarise(story, fault, watched, lost)


def _carry_out(story: Story, scene: Scene, fault: Fault, namespace: str, in_cluster: bool) -> Watched:
    with endpoint_prober(scene.target, namespace) as endpoint, _pod_prober(scene, fault, in_cluster) as pod:
        scene.progress(story.name, "probing the endpoint: 20 reads and 20 writes a second")
        _wait_until_steady(endpoint, 0.0, STEADY_BEFORE_SECONDS, START_SECONDS)
        faulted = time.monotonic()
        try:
            scene.progress(fault.host, "fault applied")
            fault.apply()
            _wait_for_recovery(endpoint, faulted, scene)
        finally:
            restored = time.monotonic()
            scene.progress(fault.host, "fault undone")
            fault.undo()
        _wait_until_healthy(scene)
        healthy = time.monotonic()
        _wait_until_steady(endpoint, healthy, STEADY_AFTER_SECONDS, RECOVERY_SECONDS)
        return Watched(endpoint.stop(), pod.stop() if pod else [], faulted, restored, healthy)


def _pod_prober(scene: Scene, fault: Fault, wanted: bool) -> Recording | AbstractContextManager[None]:
    if not wanted:
        return nullcontext()
    return in_cluster_prober(scene.inventory, host_with_dns(scene.inventory, without=fault.host))


def _wait_until_steady(probes: Recording, since: float, seconds: float, deadline: float) -> None:
    def steady() -> bool:
        return steady_seconds(request for request in probes.requests() if request.sent >= since) >= seconds

    wait_until(steady, deadline, f"{seconds:g} s in which every read and write is answered")


def _wait_for_recovery(probes: Recording, faulted: float, scene: Scene) -> None:
    """When it does not come the report will say so; the fault must be undone all the same."""
    try:
        _wait_until_steady(probes, faulted, STEADY_AFTER_SECONDS, RECOVERY_SECONDS)
    except DeadlinePassed:
        scene.progress(scene.inventory.cluster.name, f"no steady service {RECOVERY_SECONDS:g} s after the fault")


def _wait_until_healthy(scene: Scene) -> None:
    problems: tuple[str, ...] = ()

    def healthy() -> bool:
        nonlocal problems
        problems = scene.look().problems
        return not problems

    wait_until(healthy, HEALTH_SECONDS, "the cluster is healthy again", every=1.0, why=lambda: "; ".join(problems))
