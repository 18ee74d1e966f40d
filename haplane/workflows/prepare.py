"""What a verb starts with: its request, checked before any host is contacted, and the executor that reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from haplane.bundle.command import build_for, refuse_another_bundle
from haplane.bundle.flags import wrong_flags
from haplane.bundle.manifest import Manifest, bundle_directory, load_manifest
from haplane.config.model import Host, Inventory
from haplane.context.request import Request
from haplane.desired.accepted_settings import refuse_unusable_settings
from haplane.desired.snapshots import read_s3_files
from haplane.desired.user_files import read_user_files
from haplane.domain.arguments import COMPONENTS
from haplane.domain.progress import Progress
from haplane.errors import BadInput, Problems
from haplane.facts.host_report import HostReportFact
from haplane.facts.reach import ReachFact
from haplane.platforms import PLATFORMS
from haplane.remote.executor import SshExecutor
from haplane.remote.packages import packages_in
from haplane.snapshots.packaging import agent_archive


def over_ssh(progress: Progress) -> SshExecutor:
    """The executor that reaches real hosts."""
    return SshExecutor(HostReportFact, ReachFact, progress)


def prepare(inventory: Inventory) -> Request:
    """A request with its bundle. Raises BadInput, before any host is contacted, for a wrong file of the user's."""
    cluster = inventory.cluster
    directory = bundle_directory(cluster.bundle, cluster.kubernetes_version)
    manifest = load_manifest(directory, build_for(inventory))
    refuse_another_bundle(inventory, directory, manifest)
    if manifest.source == "modules" and cluster.proxy_mode != "nftables":
        raise BadInput(
            f"this bundle's kube-proxy has no tools for the mode {cluster.proxy_mode}",
            where=f'{inventory.path}: cluster["proxy_mode"]; {directory}',
            why="images built from Go modules hold nft and neither iptables nor ipset",
            next_step='set it to "nftables", or use a bundle of the official images',
        )
    user_files = read_user_files(inventory)
    _refuse_wrong_flags(inventory, directory, manifest)
    refuse_unusable_settings(inventory, directory, manifest)
    if cluster.package_directory is not None:
        packages_in(cluster.package_directory, *(platform.package_suffix for platform in PLATFORMS.known))
    return Request(inventory=inventory, manifest=manifest, bundle=directory, user_files=user_files)


def _refuse_wrong_flags(inventory: Inventory, bundle: Path, manifest: Manifest) -> None:
    """Raises Problems with every flag that its component, as the bundle has it, does not have or cannot read."""
    found = []
    for setting, component in COMPONENTS.items():
        version, where = manifest.kubernetes_version, f'{inventory.path}: cluster["tuning"]["{setting}"]'
        for one in wrong_flags(bundle, manifest, component, getattr(inventory.cluster.tuning, setting)):
            what = f"{component} {version} has no flag {one.name}"
            fix = f"did you mean {one.nearest}?" if one.nearest else "see the component's --help, or remove it"
            if one.why:
                what = f"{component} {version} does not take this value of {one.name}"
                fix = "see the component's --help for what it takes"
            found.append(BadInput(what, where=where, why=one.why or None, next_step=fix))
    if found:
        raise Problems(f"{inventory.path} has flags that no component takes; no host was contacted", found)


def prepare_to_converge(inventory: Inventory) -> Request:
    """The same with what snapshots need: the agent, and the user's files for the bucket."""
    agent = agent_archive() if inventory.cluster.snapshots is not None else None
    return replace(prepare(inventory), s3_files=read_s3_files(inventory), agent=agent)


def hosts_named(inventory: Inventory, names: Sequence[str], *, or_all: bool = False) -> list[Host]:
    """The hosts of those names, or all. Raises BadInput for a name that no host has.

    ``or_all``: the command takes no HOST at all for all of them.
    """
    known = {host.name: host for host in inventory.everyone}
    if unknown := [name for name in names if name not in known]:
        raise BadInput(
            f"{', '.join(unknown)}: not in the inventory",
            where=inventory.path,
            next_step=f"use one of {', '.join(known)}{', or no HOST for all of them' if or_all else ''}",
        )
    return [known[name] for name in names] if names else list(known.values())
