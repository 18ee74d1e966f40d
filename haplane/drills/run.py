"""Run one drill: probe, arm, apply the fault, wait for recovery, undo it, wait for health, read every write back."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from haplane.domain.status import Status
from haplane.drills.drill import Drill, DrillContext, Fault
from haplane.drills.probing.probers import host_with_dns, in_cluster_prober
from haplane.drills.probing.recording import Recording
from haplane.drills.probing.timeline import Request, acknowledged_writes, steady_seconds
from haplane.drills.probing.writes import (
    PREFIX,
    lost_writes,
    make_namespace,
    remove_left_namespaces,
    remove_namespace,
)
from haplane.drills.reports.report import Report, Watched, summarise
from haplane.errors import DeadlinePassed, Refused
from haplane.waiting import wait_until

STEADY_BEFORE_SECONDS = 2.0
STEADY_AFTER_SECONDS = 5.0
START_SECONDS = 30.0
RECOVERY_SECONDS = 60.0
HEALTH_SECONDS = 300.0
HEALTHY_FOR_SECONDS = 10.0
"""After a power cut a node is Ready before its kubelet has told which pods of before are no longer ready."""
WATCHDOG_SPARE_SECONDS = 30.0
VERB_SECONDS = 1800.0


def healthy_status(drill: Drill, context: DrillContext) -> Status:
    """The cluster's status. Raises Refused when it is not healthy: a second fault proves nothing."""
    status = context.look()
    if not status.healthy:
        raise Refused(
            f"{drill.name}: the cluster is not healthy; a second fault could take it down",
            where=context.inventory.cluster.name,
            why="; ".join(status.lines),
            next_step=f"`haplane status {context.inventory.path}`",
        )
    return status


def planned(drill: Drill, context: DrillContext, status: Status, wanted: str | None) -> Fault:
    """What the drill would do now. Raises Refused when this cluster cannot have it, or would lose data by it."""
    if drill.destroys and not (context.machines.disposable or context.forced):
        raise Refused(
            f"{drill.name} destroys data on these hosts, which are not a lab's",
            where=context.inventory.path,
            why=drill.summary,
            next_step="run it on inventories/lab.py, or add --force if that data may be lost",
        )
    return drill.plan(context, status, wanted)


def run(drill: Drill, context: DrillContext, fault: Fault, *, in_cluster: bool = False) -> Report:
    """Carry the drill out. The fault is undone and the drill's namespace removed however this ends.

    With ``in_cluster`` a pod's network on a surviving master is watched as well. Raises DeadlinePassed when the
    cluster is not steady at the beginning or not healthy at the end.
    """
    client = context.client
    namespace = f"{PREFIX}{secrets.token_hex(4)}"
    began = context.executor.now()
    remove_left_namespaces(client)
    make_namespace(client, namespace)
    try:
        watched = _carry_out(drill, context, fault, namespace, in_cluster)
        context.progress(drill.name, "reading back every acknowledged write")
        lost = lost_writes(client, namespace, acknowledged_writes(watched.requests))
    finally:
        fault.clean_up()
        remove_namespace(client, namespace)
    return summarise(context, drill, fault, watched, lost=lost, began=began)


def _carry_out(drill: Drill, context: DrillContext, fault: Fault, namespace: str, in_cluster: bool) -> Watched:
    with (
        context.probe(namespace) as endpoint,
        _pod_prober(context, fault, in_cluster) as pod,
        context.watch() as states,
    ):
        context.progress(drill.name, "probing the endpoint: 20 reads and 20 writes a second")
        _wait_until_steady(context, endpoint, 0.0, lasting=STEADY_BEFORE_SECONDS, seconds=START_SECONDS)
        fault.prepare()
        with _applied(context, fault) as faulted:
            fault.work()
            served = _hold(context, fault, endpoint, faulted)
            restored = context.executor.monotonic()
        fault.then()
        healthy = _wait_until_healthy(context)
        steady = _becomes_steady(context, endpoint, healthy, RECOVERY_SECONDS, "after the cluster was healthy again")
        seen = pod.stop() if pod else []
        return Watched(
            endpoint.stop(),
            seen,
            states.stop(),
            faulted,
            restored,
            healthy,
            context.executor.monotonic(),
            steady=steady,
            served=served,
        )


@contextmanager
def _applied(context: DrillContext, fault: Fault) -> Iterator[float]:
    """The fault, from the moment that is yielded until the block ends. Every undo is in place before it begins."""
    with ExitStack() as stack:
        longest = fault.at_most + fault.at_least + (VERB_SECONDS if fault.runs_verbs else WATCHDOG_SPARE_SECONDS)
        armed = [stack.enter_context(part(longest)) for part in fault.parts]
        faulted = context.executor.monotonic()
        context.progress(fault.host, "fault applied")
        for part in armed:
            part.apply()
        try:
            yield faulted
        finally:
            context.progress(fault.host, "undoing the fault")
    context.progress(fault.host, "fault undone")


def _pod_prober(
    context: DrillContext, fault: Fault, wanted: bool
) -> Recording[Request] | AbstractContextManager[None]:
    """One that watches nothing where no master survives."""
    inventory = context.inventory
    if wanted and {master.name for master in inventory.masters} <= set(fault.off):
        context.progress(inventory.cluster.name, "no master keeps its power: --in-cluster is left out")
        wanted = False
    if not wanted:
        return nullcontext()
    without = {fault.host, *fault.off}
    return in_cluster_prober(inventory, host_with_dns(inventory, context.executor, without))


def _wait_until_steady(
    context: DrillContext, probes: Recording[Request], since: float, *, lasting: float, seconds: float
) -> None:
    """For ``seconds`` at most, until no request has failed for ``lasting`` seconds."""

    def steady() -> bool:
        return steady_seconds(request for request in probes.lines() if request.sent >= since) >= lasting

    wait_until(steady, seconds, f"every read and write succeeds for {lasting:g} s", clock=context.executor)


def _hold(context: DrillContext, fault: Fault, probes: Recording[Request], faulted: float) -> bool:
    """Until service is steady with the fault in place: whether it became so. While everything is down it cannot."""
    if fault.at_most == 0:
        return True
    context.executor.sleep(max(0.0, faulted + fault.at_least - context.executor.monotonic()))
    return _becomes_steady(context, probes, faulted, fault.at_most, "with the fault in place")


def _becomes_steady(
    context: DrillContext, probes: Recording[Request], since: float, seconds: float, when: str
) -> bool:
    """Whether it does within that time. If not, the report shows it."""
    try:
        _wait_until_steady(context, probes, since, lasting=STEADY_AFTER_SECONDS, seconds=seconds)
    except DeadlinePassed:
        context.progress(context.inventory.cluster.name, f"no steady service within {seconds:g} s {when}")
        return False
    return True


def _wait_until_healthy(context: DrillContext) -> float:
    """Since when it has been healthy, for HEALTHY_FOR_SECONDS by then."""
    problems: tuple[str, ...] = ()
    since = 0.0

    def lasting() -> float | None:
        nonlocal problems, since
        problems, now = context.look().lines, context.executor.monotonic()
        since = 0.0 if problems else since or now
        return since if since and now - since >= HEALTHY_FOR_SECONDS else None

    return wait_until(
        lasting,
        HEALTH_SECONDS,
        "the cluster is healthy again",
        every=1.0,
        why=lambda: "; ".join(problems),
        clock=context.executor,
    )
