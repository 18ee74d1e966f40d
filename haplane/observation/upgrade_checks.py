"""Everything that keeps a cluster from being upgraded, looked for at once before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from pydantic import ValidationError

from haplane.bundle.program_help import Question, helps, refusals
from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Look
from haplane.domain import host_paths, upgrade_etcd
from haplane.domain import upgrade_checks as checks
from haplane.domain.etcd_report import EtcdStatus
from haplane.domain.observed import Node
from haplane.domain.plan import Kind
from haplane.domain.problem import UP
from haplane.domain.upgrade_checks import DeprecatedApi, parse_deprecated_apis
from haplane.domain.upgrade_flags import (
    COMPONENTS,
    Written,
    accepted,
    environment_files,
    in_command_line,
    in_file_of_host,
    in_kubeadm_configuration,
    unnamed,
)
from haplane.domain.upgrade_route import APISERVER
from haplane.domain.versions import parse
from haplane.domain.webhooks import DryRuns
from haplane.errors import HaplaneError, UnfitHosts
from haplane.host_programs import packed, parts, program
from haplane.observation.upgrade import (
    bundle_of,
    running_on,
    snapshots_needed,
    upgrade_of,
    with_recent_snapshots,
)
from haplane.observation.upgrade_room import bytes_needed, bytes_switched
from haplane.threads import Threads

PROGRAMS = (*COMPONENTS.values(), "kube-proxy", "etcd")
TRIES = program(
    *parts("facts", "probe", "systemd", "pods", "serving", "kubernetes", "leftovers", "webhooks", "trials", "rights"),
    *parts("facts", "workloads", "dry_runs"),
)
UNITS = {"kubelet": host_paths.KUBELET_SERVICE, "etcd": host_paths.ETCD_SERVICE}


def check_upgrade(context: Context) -> None:
    """Raises UnfitHosts with all of them, each with the command or edit that removes it."""
    found = list(_problems(context))
    if found:
        raise UnfitHosts("this cluster cannot be upgraded now; nothing was changed", found)


def _problems(context: Context) -> Iterator[HaplaneError]:
    """What has to be asked for is asked for first, all of it at once."""
    with Threads() as pool:
        tries, apis = pool.submit(_dry_runs, context), pool.submit(_deprecated_apis, context)
        unaccepted = pool.submit(_unaccepted, context) if context.wants else None
        yield from _reported(context)
        yield from checks.webhook_problems(context.observation.reports.values(), tries.result())
        yield from checks.api_problems(apis.result(), upgrade_of(context).version)
        yield from unaccepted.result() if unaccepted else ()


def _reported(context: Context) -> Iterator[HaplaneError]:
    """What follows from the hosts' reports."""
    inventory, reports = context.inventory, context.observation.reports
    masters, members = ([host.name for host in group] for group in (inventory.masters, inventory.etcd))
    version = context.manifest.kubernetes_version
    yield from checks.host_problems(masters, members, context.observation, version)
    begun = any(path.startswith(host_paths.VERSIONS) for report in reports.values() for path in report.bundle)
    yield from upgrade_etcd.alarm_problems(members, reports)
    kubernetes = context.observation.kubernetes()
    if kubernetes is None:
        next_step = f"`haplane status {inventory.path}`"
        yield HaplaneError("no API server reports the cluster's nodes", next_step=next_step)
    else:
        yield from _node_problems(context, kubernetes.nodes, begun=begun)
    yield from _snapshot_problems(context)
    yield from checks.pod_problems(reports.values())
    if context.wants:
        yield from checks.disk_problems(bytes_needed(context), reports)
        yield from checks.room_for_programs(bytes_switched(context), reports)
    statuses = {name: report.etcd.status for name in members if (report := reports.get(name))}
    yield from _etcd_problems(context, {name: status for name, status in statuses.items() if status})


def _unaccepted(context: Context) -> list[HaplaneError]:
    """Flags and gates that programs of a hop do not take; of every hop that has a bundle at once."""
    upgrade = upgrade_of(context)
    with Threads() as pool:
        written = pool.submit(_written, context)

        def of(hop: str) -> list[HaplaneError]:
            known = {name: accepted(one) for name, one in helps(bundle_of(upgrade, hop), PROGRAMS).items()}
            refused = _refused(bundle_of(upgrade, hop), unnamed(written.result(), known))
            return list(checks.flag_problems(refused, hop))

        return [one for found in pool.map(of, upgrade.manifests) for one in found]


def _node_problems(context: Context, nodes: Sequence[Node], *, begun: bool) -> Iterator[HaplaneError]:
    """Nodes that follow are judged beside the first hop's API servers; later ones find them one minor version behind.

    The others stay as they are until the end. One that is left out and too old already is passed over: it does not
    become so by this, and a worker that lies must not keep the others from being upgraded.
    """
    left_out, hops = set(context.request.without), upgrade_of(context).hops
    if not begun:
        yield from checks.unready_nodes(node for node in nodes if node.name not in left_out)
    if not hops:
        return
    known = {host.name for host in context.inventory.nodes}
    follow = known & context.observation.reports.keys()
    now = max((one.version for one in running_on(context) if one.program == APISERVER), key=parse, default=hops[0])
    old = {node.name for node in nodes if checks.is_too_old(node.kubelet_version, now)}
    stay = [node for node in nodes if node.name not in follow and node.name not in left_out & old]
    yield from checks.kubelet_problems((node for node in nodes if node.name in follow), hops[0])
    yield from checks.kubelet_problems(stay, hops[-1])
    if parse(hops[-1])[:2] < parse(now)[:2]:
        yield from checks.new_kubelets(stay, hops[-1])
    yield from checks.runtime_problems((node for node in nodes if node.name not in known), hops[-1])
    for hop, manifest in upgrade_of(context).manifests.items():
        yield from checks.bundle_problems(manifest.versions.get("containerd", ""), hop)


def _snapshot_problems(context: Context) -> Iterator[HaplaneError]:
    """Where no snapshot can be taken, unless that was agreed to on the command line."""
    path = context.inventory.path
    if upgrade_of(context).without_snapshot or not context.plan.steps:
        return
    if context.inventory.cluster.snapshots is None:
        yield HaplaneError(
            "no snapshot can be taken first: the inventory configures none",
            where=f'{path}: cluster["snapshots"]',
            why="etcd's data is the one thing that an upgrade cannot put back",
            next_step=f"configure snapshots and run {UP} first; or add --without-snapshot",
        )
    elif any(
        len(step.items) + len(with_recent_snapshots(context)) < snapshots_needed(context)
        for step in context.plan.of(Kind.SNAPSHOT)
    ):
        yield HaplaneError(
            "no snapshot can be taken first: too few members can take one now",
            why=f"{snapshots_needed(context)} members have to read through quorum and run the agent",
            next_step=f"`haplane status {path}`",
        )


def _etcd_problems(context: Context, running: Mapping[str, EtcdStatus]) -> Iterator[HaplaneError]:
    """Of every hop, each from what the one before leaves: the first is not made where a later one cannot be.

    What a hop without a bundle would leave is not known.
    """
    members, manifests = dict(running), upgrade_of(context).manifests
    for hop in takewhile(manifests.__contains__, upgrade_of(context).hops):
        wanted = manifests[hop].etcd_version
        if found := list(upgrade_etcd.etcd_problems(members, hop, wanted)):
            yield from found
            return
        after = {"version": wanted, "storage_version": ""}
        members = {f"{name} after {hop}": status.model_copy(update=after) for name, status in running.items()}


def _deprecated_apis(context: Context) -> list[DeprecatedApi]:
    """Of every API server that is ready: each counts its own requests."""
    port = str(context.inventory.cluster.apiserver_port)
    text = program(*parts("facts", "probe", "pods", "serving", "kubernetes", "deprecated_apis"))
    ready = [host for host in context.reachable(context.inventory.masters) if context.report(host).apiserver.ready]

    def ask(host: Host) -> list[DeprecatedApi]:
        answer = context.executor.run(host, "python3", "-I", "-c", text, port)
        return parse_deprecated_apis(host.name, answer)

    with Threads(len(ready)) as pool:
        return [one for found in pool.map(ask, ready) for one in found]


def _dry_runs(context: Context) -> DryRuns:
    """Of webhooks that nothing else decides about, by every API server that is ready: what one refuses is refused."""
    names = checks.undecided(context.observation.reports.values())
    port = str(context.inventory.cluster.apiserver_port)
    masters = context.reachable(context.inventory.masters) if names else []
    ready = [host for host in masters if context.report(host).apiserver.ready]

    def ask(host: Host) -> DryRuns:
        with suppress(HaplaneError, ValidationError):
            answer = context.executor.run(host, "python3", "-I", "-c", packed(TRIES), port, *names)
            return DryRuns.model_validate_json(answer)
        return DryRuns()

    with Threads(len(ready)) as pool:
        tried = list(pool.map(ask, ready))
    refused = {name: why for one in reversed(tried) for name, why in one.refused.items()}
    return DryRuns(refused=refused, complete=bool(tried) and all(one.complete for one in tried))


def _written(context: Context) -> list[Written]:
    """Every flag and gate that haplane writes for the inventory, and in files that others write on hosts."""
    found: dict[Written, None] = {}
    for host in context.reachable(context.inventory.hosts):
        for file in context.wants[host.name].files:
            if file.path == host_paths.KUBEADM_CONFIG_YAML:
                found |= dict.fromkeys(in_kubeadm_configuration(file.content.decode(), context.inventory.path))
            for name, path in UNITS.items():
                if file.path == path:
                    found |= dict.fromkeys(in_command_line(name, file.content.decode(), path))
    with Threads() as pool:
        for on_host in pool.map(lambda host: list(_on(context, host)), context.reachable(context.inventory.hosts)):
            found |= dict.fromkeys(on_host)
    return list(found)


def _refused(bundle: Path, unverified: Iterable[Written]) -> dict[Written, str]:
    """Of what no help names, that with which the programs themselves do not start, and what they say."""
    found, asked = {}, {}
    for one in unverified:
        if one.program == "etcd":  # hides nothing, and starts to serve at once
            found[one] = "its `--help` does not name it"
        else:
            argument = f"--feature-gates={one.name}={one.value}" if one.gate else f"--{one.name}="
            asked[one] = Question(one.program, argument, one.gate)
    said = refusals(bundle, asked.values()) if asked else {}
    return found | {one: said[question] for one, question in asked.items() if question in said}


def _on(context: Context, host: Host) -> Iterator[Written]:
    """What somebody added on the host: drop-ins of the units, and the files of variables that these name."""
    units = context.report(host).units
    drop_ins = {name: units[name].drop_ins for name in UNITS if name in units}
    found = _read(context, host, list(dict.fromkeys(path for paths in drop_ins.values() for path in paths)))
    named = {
        name: [one for path in paths if path in found for one in environment_files(found[path])]
        for name, paths in drop_ins.items()
    }
    found |= _read(context, host, sorted({path for paths in named.values() for path in paths} - found.keys()))
    for name, paths in drop_ins.items():
        for path in dict.fromkeys((*paths, *named[name])):
            if path in found:
                yield from in_file_of_host(name, found[path], host.name, path)


def _read(context: Context, host: Host, paths: Sequence[str]) -> dict[str, bytes]:
    return context.executor.read_files(host, paths) if paths else {}


CHECK_UPGRADE = Look("Check what would keep the cluster from being upgraded", check_upgrade)
