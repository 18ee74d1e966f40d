"""Packages, configuration, keys: everything small, on all hosts at once."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.deploys.recipes import prepare_host
from haplane.desired.keys import key_files
from haplane.domain.files import WantedFile
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.remote.openssh import read_files
from haplane.remote.packages import REMOTE_DIRECTORY, send_packages
from haplane.remote.session import deploy


def prepare_hosts(run: Run) -> None:
    """One pyinfra deploy; what each host gets is decided before it."""
    hosts = run.hosts(Kind.PACKAGES, Kind.FILES, Kind.KEYS)
    packages = {host.name: run.plan.items(host.name, Kind.PACKAGES) for host in hosts}
    directory = run.inventory.cluster.package_directory
    if directory is not None:
        for host in hosts:
            if packages[host.name]:
                send_packages(host, directory)
    deploy(
        hosts,
        prepare_host,
        run.progress,
        packages_of=packages,
        files_of={host.name: _files(run, host) for host in hosts},
        package_directory=REMOTE_DIRECTORY if directory is not None else None,
    )


def _files(run: Run, host: Host) -> tuple[WantedFile, ...]:
    due = run.plan.items(host.name, Kind.KEYS)
    keys = key_files(run.inventory, host, identity(run), due, run.now()) if due else ()
    differing = set(run.plan.items(host.name, Kind.FILES))
    return (*keys, *(file for file in run.wants[host.name].files if file.path in differing))


def identity(run: Run) -> ClusterIdentity:
    """The cluster's identity: made in this run, or read back from the masters into memory, once.

    Raises Refused when what the masters hold is damaged.
    """
    if run.identity is None:
        found: dict[str, bytes] = {}
        for host in run.reachable(run.inventory.masters):
            found = {**read_files(host, [path for path in IDENTITY_PATHS if path not in found]), **found}
            if set(IDENTITY_PATHS) <= set(found):
                break
        run.identity = ClusterIdentity.from_files(found)
    return run.identity


PREPARE_HOSTS = Phase("Prepare hosts", (Kind.PACKAGES, Kind.FILES, Kind.KEYS), prepare_hosts)
