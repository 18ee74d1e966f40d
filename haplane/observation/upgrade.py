"""An upgrade's next hop: which version it goes to, and what that does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from haplane.bundle.installed import built_versions
from haplane.bundle.lock import versions_of
from haplane.bundle.manifest import Manifest, build_command, default_directory, load_manifest, parsed_manifest
from haplane.config.model import Inventory
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.context.request import Upgrade
from haplane.domain.history import WITNESSES
from haplane.domain.plan import THE_CLUSTER, Kind, Plan, Step
from haplane.domain.problem import UP
from haplane.domain.slots import eligible
from haplane.domain.snapshot_status import with_recent
from haplane.domain.timetable import length, total
from haplane.domain.upgrade_interrupted import is_new
from haplane.domain.upgrade_plan import NOTHING_OUT, UNFINISHED, Target, upgrade_steps
from haplane.domain.upgrade_route import hops, problem_of
from haplane.domain.versions import Running, Version, is_version, parse, running_versions
from haplane.errors import INVENTORY, HaplaneError, Problems, Refused, UnfitHosts
from haplane.observation.candidates import candidates
from haplane.observation.decide import decide_steps
from haplane.observation.membership import foresee_changes
from haplane.observation.upgrade_interrupted import hop_was_interrupted

REPLACE = (
    "; a master that is wrong about itself: `haplane reset INVENTORY HOST`, "
    "then `haplane node repair INVENTORY HOST` with the version in it that the others run"
)
"""An upgrade needs them all."""


def choose_hop(context: Context) -> None:
    """Make the request that of the next hop of which there is a bundle.

    Raises Refused for a version that this cluster cannot become, Problems for bundles that are missing on the way.
    What is checked afterwards goes as far as it can without them.
    """
    upgrade, inventory = upgrade_of(context), context.inventory
    running = running_on(context)
    if why := problem_of(running, upgrade.version):
        _pursue(context, replace(upgrade, hops=(), missing=(), manifests={}), upgrade.version)
        raise Refused(
            f"this cluster cannot become {upgrade.version}; nothing was changed",
            where="; ".join(map(str, running[:6])),
            why=why,
            next_step=f'correct cluster["kubernetes_version"] in {inventory.path}{REPLACE}',
        )
    built = built_versions(upgrade.manifest.architecture)
    route, missing = hops(
        running,
        parse(upgrade.version),
        [parse(one) for one in built if is_version(one)],
        [parse(one) for one in versions_of(upgrade.manifest.source)],
    )
    absent = [one.version for one in missing]
    every = tuple(map(str, sorted({*route, *absent})))
    manifests = {hop: _manifest(upgrade, hop) for hop in map(str, sorted(route))}
    found = replace(upgrade, hops=every, missing=tuple(map(str, absent)), manifests=manifests)
    _pursue(context, found, str(route[0]))
    if missing:
        raise Problems(
            "bundles are missing on the way; nothing was changed",
            [_missing(upgrade, str(one.version), one.minor, running) for one in missing],
        )


def _pursue(context: Context, upgrade: Upgrade, version: str) -> None:
    """Hosts need not be observed again: they were asked for the files of every bundle that may be on the way."""
    inventory, manifest = with_version(context.inventory, version), upgrade.manifests.get(version, upgrade.manifest)
    directory = bundle_of(upgrade, version)
    context.pursue(
        replace(context.request, inventory=inventory, manifest=manifest, bundle=directory, upgrade=upgrade)
    )


def _manifest(upgrade: Upgrade, hop: str) -> Manifest:
    """That of a hop, read at most once until the hop is over. Raises as :func:`load_manifest`."""
    if hop == upgrade.version:
        return upgrade.manifest
    return upgrade.manifests.get(hop) or load_manifest(bundle_of(upgrade, hop), build_of_hop(upgrade, hop))


def on_the_way(version: str, architecture: str) -> tuple[Manifest, ...]:
    """Of each minor version below, the newest bundle that was built: a route goes through no other."""
    newest: dict[tuple[int, int], tuple[Version, Path]] = {}
    for name, directory in built_versions(architecture).items():
        if is_version(name) and (found := parse(name))[:2] < parse(version)[:2]:
            newest[found[:2]] = max(newest.get(found[:2], (found, directory)), (found, directory))
    manifests = (parsed_manifest(directory) for _, directory in newest.values())
    return tuple(one for one in manifests if one is not None)


def running_on(context: Context) -> tuple[Running, ...]:
    """API servers and kubelets of the inventory's hosts."""
    kubernetes = context.observation.kubernetes()
    names = [host.name for host in context.inventory.nodes if host.name not in context.request.without]
    return running_versions(names, context.observation.reports, kubernetes.nodes if kubernetes else ())


def _missing(upgrade: Upgrade, version: str, minor: str, running: tuple[Running, ...]) -> HaplaneError:
    oldest = min(running, key=lambda one: parse(one.version))
    return HaplaneError(
        f"there is no bundle of Kubernetes {minor}, which is between {oldest.version} and {upgrade.version}",
        where=str(oldest),
        why="a cluster goes through every minor version",
        next_step=f"`{build_of_hop(upgrade, version)}`",
    )


def with_version(inventory: Inventory, version: str) -> Inventory:
    """The same inventory for another version of Kubernetes."""
    return inventory.model_copy(
        update={"cluster": inventory.cluster.model_copy(update={"kubernetes_version": version})}
    )


def upgrade_of(context: Context) -> Upgrade:
    """What the user asked for. Raises HaplaneError for a verb that is no upgrade."""
    if context.request.upgrade is None:
        raise HaplaneError("internal error: this verb upgrades nothing", next_step="please report it")
    return context.request.upgrade


def decide_hop(context: Context) -> None:
    """What the next hop does, where there is one.

    Raises UnfitHosts while the cluster is not complete, with each step that is due, and as :func:`foresee_changes`.
    """
    if not upgrade_of(context).hops:
        return
    found: list[HaplaneError] = []
    try:
        decide_steps(context, foresee_changes(context))
    except HaplaneError as error:
        found.append(error)
        decide_steps(context)
    found += [_unfinished(context, step) for step in context.plan.of(*UNFINISHED)]
    _adopt_hop(context)
    if found:
        raise UnfitHosts(
            "this cluster does not match its inventory, so it is not upgraded; nothing was changed", found
        )


def _unfinished(context: Context, step: Step) -> HaplaneError:
    """With what `up` does: between two versions it makes only hosts anew that have none of their programs."""
    wanted, report = context.wants.get(step.host), context.observation.reports.get(step.host)
    anew = step.kind in (Kind.INITIALISE, Kind.JOIN) and wanted and report and not is_new(wanted, report)
    if anew and hop_was_interrupted(context):
        next_step = f"`haplane reset {INVENTORY} {step.host}`, then `haplane node repair {INVENTORY} {step.host}`"
    else:
        next_step = UP
    return HaplaneError(f"{step.host}: {step.kind.value} is due", why=step.why, next_step=next_step)


def _adopt_hop(context: Context) -> None:
    manifest = context.manifest
    target = Target(
        kubernetes=manifest.kubernetes_version,
        etcd=manifest.etcd_version,
        archives=frozenset(image.file.path for image in manifest.images),
        took=upgrade_of(context).took,
    )
    plan = upgrade_steps(context.plan, context.wants, context.observation.reports, _kubelets(context), target)
    plan = plan.ordered([host.name for host in context.inventory.everyone])
    if plan.steps and (step := _snapshot_step(context)):
        plan = Plan((step, *plan.steps))
    headline = tuple(_headline(context, plan)) if plan.steps else ()
    context.adopt(replace(context.decision, plan=plan, headline=headline))


def _snapshot_step(context: Context) -> Step | None:
    """Unless ``snapshots_needed`` members have one that is younger than the interval.

    Its items are the members that can take one, in the order in which they are asked: one may fail, or lie.
    """
    settings = context.inventory.cluster.snapshots
    if settings is None or upgrade_of(context).without_snapshot:
        return None
    recent = with_recent_snapshots(context)
    missing = snapshots_needed(context) - len(recent)
    if missing <= 0:
        return None
    able = candidates(context.inventory, context.observation)
    names = (*eligible(able), *(one.name for one in able if one.healthy and one.leader))
    names = tuple(name for name in dict.fromkeys(names) if name not in recent)
    why = f"{len(recent)} members have a verified one younger than {settings.interval_seconds} s"
    why += f"; {missing} of {', '.join(names)}; {NOTHING_OUT}{length(Kind.SNAPSHOT, upgrade_of(context).took)}"
    return Step(Kind.SNAPSHOT, THE_CLUSTER, why, names)


def with_recent_snapshots(context: Context) -> tuple[str, ...]:
    """Members that report a verified one which is no older than the interval."""
    settings, members = context.inventory.cluster.snapshots, [host.name for host in context.inventory.etcd]
    if settings is None:
        return ()
    return with_recent(settings.interval_seconds, members, context.observation, context.view.seen_at)


def snapshots_needed(context: Context) -> int:
    """How many members must have a recent one: the word of one is not enough where there are more."""
    return min(WITNESSES, len(context.inventory.etcd))


def _headline(context: Context, plan: Plan) -> Iterator[str]:
    """The route, what later hops change, and the outage where there is one."""
    upgrade = upgrade_of(context)
    every = [parse(one.version) for one in running_on(context)]
    first = min(every) if parse(upgrade.version) >= max(every) else max(every)
    yield f"{' -> '.join(dict.fromkeys((str(first), *upgrade.hops)))}; the steps below are those to {upgrade.hops[0]}"
    yield total(plan, upgrade.took)
    (_, before), *later = upgrade.manifests.items()
    for version, after in later:
        yield f"then {version} in the same steps: {', '.join(_differences(before, after)) or 'nothing else changes'}"
        before = after
    if len(context.inventory.masters) == 1 and plan.of(Kind.UPGRADE_CONTROL_PLANE, Kind.UPGRADE_ETCD):
        name = context.inventory.masters[0].name
        yield f"OUTAGE: {name} is the only master: no API while its etcd and API server restart; pods run on"


def _differences(before: Manifest, after: Manifest) -> list[str]:
    return [
        f"{name} {before.versions.get(name, 'none')} -> {version}"
        for name, version in after.versions.items()
        if before.versions.get(name) != version
    ]


def bundle_of(upgrade: Upgrade, hop: str) -> Path:
    """Where the bundle of one of its hops lies."""
    return upgrade.bundle if hop == upgrade.version else built_versions(upgrade.manifest.architecture)[hop]


def build_of_hop(upgrade: Upgrade, hop: str) -> str:
    """The command that makes the bundle of one of its hops."""
    source, architecture = upgrade.manifest.source, upgrade.manifest.architecture
    return build_command(source, hop, architecture, default_directory(hop, architecture))


def _kubelets(context: Context) -> dict[str, str]:
    kubernetes = context.observation.kubernetes()
    return {node.name: node.kubelet_version for node in kubernetes.nodes} if kubernetes else {}


CHOOSE_HOP = Look("Choose the next version", choose_hop)
DECIDE_HOP = Look("Decide what the next version changes", decide_hop)
