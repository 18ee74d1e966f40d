"""Packages, configuration, keys: everything small, on all hosts at once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import prepare_host
from haplane.desired.keys import key_files
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import Kind
from haplane.errors import Refused
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.platforms import PLATFORMS


def prepare_hosts(context: Context, left_out: Collection[Part] = ()) -> None:
    """One pyinfra deploy; what each host gets is decided before it. Files of parts ``left_out`` stay as they are."""
    hosts = context.hosts(Kind.PACKAGES, Kind.FILES, Kind.KEYS)
    directory = context.inventory.cluster.package_directory
    packages: dict[str, dict[str, str]] = {}
    installers: dict[str, str] = {}
    for host in hosts:
        units = context.plan.items(host.name, Kind.PACKAGES)
        platform = PLATFORMS.of(context.report(host).machine.os_id)
        if not units or platform is None:  # preflight refuses a host of no platform
            continue
        packages[host.name] = {unit: platform.package_of(unit) for unit in units}
        installers[host.name] = platform.install_script
        if directory is not None:
            context.executor.send_packages(host, directory, platform.package_suffix)
    context.deploy(
        hosts,
        prepare_host,
        packages_of=packages,
        installer_of=installers,
        files_of={host.name: _files(context, host, left_out) for host in hosts},
        package_directory=host_paths.PACKAGES if directory is not None else None,
    )


def _files(context: Context, host: Host, left_out: Collection[Part]) -> tuple[WantedFile, ...]:
    due = context.plan.items(host.name, Kind.KEYS)
    keys = key_files(context.inventory, host, identity(context), due, context.now()) if due else ()
    differing = set(context.plan.items(host.name, Kind.FILES))
    files = (file for file in context.wants[host.name].files if file.path in differing)
    return (*keys, *(file for file in files if file.part not in left_out))


def identity(context: Context) -> ClusterIdentity:
    """The cluster's identity: made in this run, or read back from the masters into memory, once.

    Raises Refused when what the masters hold is damaged, or is not what they reported when the plan was made.
    """
    if context.decision.identity is not None:
        return context.decision.identity
    found: dict[str, bytes] = {}
    for host in context.reachable(context.inventory.masters):
        wanted = [path for path in IDENTITY_PATHS if path not in found and path in context.report(host).files]
        read = context.executor.read_files(host, wanted)
        _refuse_other_keys(context, host, read)
        found = {**read, **found}
        if set(IDENTITY_PATHS) <= set(found):
            break
    held = ClusterIdentity.from_files(found)
    context.adopt(replace(context.decision, identity=held))
    return held


def _refuse_other_keys(context: Context, host: Host, read: Mapping[str, bytes]) -> None:
    """Raises Refused for files that differ from what the masters, which were compared, reported of them."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in read.items()}
    masters = context.inventory.masters
    other = [path for path, digest in digests.items() if digest != context.view.digest_on(masters, path)]
    if other:
        raise Refused(
            f"{host.name} holds other keys than it reported",
            where=f"{host.name}: {', '.join(other)}",
            why="they were replaced after the masters were compared, or the host does not report what it has",
            next_step="run again; if it persists, compare these files on the masters (sha256sum)",
        )


PREPARE_HOSTS = Phase("Prepare hosts", (Kind.PACKAGES, Kind.FILES, Kind.KEYS), prepare_hosts)
