"""Observe every host at once: one report each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.desired.hosts import request_for, roles_of
from haplane.domain import trust
from haplane.domain.clocks import Window
from haplane.domain.observed import LeftOut, Observation
from haplane.errors import Unreachable

BY_OPTION = LeftOut("by --without", "make sure that it can be trusted")

WORKLOAD_PARTS = (
    *("components", "workloads", "precedence", "kubelet", "condition", "findings", "pod_network", "tokens"),
    "conversions",
)
"""Of a report: what only status and the plan need. A guard does without, for clients' sake: looking costs CPU."""


def observe(context: Context) -> None:
    """One composite fact per host. Raises Unreachable when no host answers."""
    _look(context)


def observe_briefly(context: Context) -> None:
    """The same without WORKLOAD_PARTS."""
    _look(context, without=WORKLOAD_PARTS)


def _look(context: Context, without: tuple[str, ...] = ()) -> None:
    inventory = context.inventory
    asked_at = context.now().timestamp()
    context.progress(", ".join(host.name for host in inventory.everyone), "observing")
    upgrade = context.request.upgrade
    request = request_for(inventory, context.request.manifest, upgrade.built if upgrade else ()) | {
        "without": without
    }
    gathered = context.executor.observe(inventory.everyone, request)
    for name, fingerprint in gathered.first_contacts.items():
        context.progress(name, f"first contact, its host key is {fingerprint}")
    reported = Observation(reports=gathered.values, unreachable=gathered.failed)
    left_out = {**dict.fromkeys(context.request.without, BY_OPTION), **context.view.left_out}
    observation = trust.believed(roles_of(inventory), reported.without(left_out))
    seen_at = context.now()
    window = Window(asked_at, seen_at.timestamp())
    view = replace(context.view, observation=observation, reported=reported, window=window, seen_at=seen_at)
    context.see(view)
    if not gathered.values:
        raise unreachable(context)


def leave_out(context: Context, found: Mapping[str, LeftOut]) -> None:
    """Treat these hosts as if they were unreachable, in every later look too."""
    for name, one in found.items():
        context.progress(name, f"left out: {one.why}")
    left_out = {**context.view.left_out, **found}
    context.see(replace(context.view, left_out=left_out, observation=context.observation.without(left_out)))


def cluster_exists(context: Context) -> bool:
    """Whether a member of etcd has ever been part of one: then no other host may keep it from being repaired."""
    return any(context.report(host).etcd.bootstrapped for host in context.reachable(context.inventory.etcd))


def unreachable(context: Context) -> Unreachable:
    """Which hosts did not answer, and why."""
    given = context.request.without
    lost = {name: why for name, why in context.observation.unreachable.items() if name not in given}
    untouched = "" if context.result.changed else "; nothing was changed"
    return Unreachable(
        f"{', '.join(sorted(lost))} cannot be reached{untouched}",
        why="; ".join(f"{name}: {why}" for name, why in sorted(lost.items())),
        next_step="check that they are on and that ssh to them works, then run again",
    )


OBSERVE = Look("Observe every host", observe)
