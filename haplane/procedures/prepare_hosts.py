"""Packages, configuration, keys: everything small, on all hosts at once."""

from __future__ import annotations

from collections.abc import Collection

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys.recipes import prepare_host
from haplane.desired.keys import key_files
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import Kind
from haplane.observation.identity import identity
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
