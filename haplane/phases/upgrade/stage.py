"""Binaries and images of the next version, put beside those that run: no service is touched."""

from __future__ import annotations

from collections.abc import Iterator

from haplane.bundle.manifest import BundleFile
from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys import upgrade as recipes
from haplane.domain import host_paths
from haplane.domain.files import Part
from haplane.domain.plan import THE_CLUSTER, Kind
from haplane.executor import Pushing
from haplane.procedures.prepare_hosts import prepare_hosts
from haplane.procedures.pushes import push_images, wait_for_all
from haplane.procedures.timed import timed


def stage(context: Context) -> None:
    """On all hosts at once. containerd takes the images in beside its others."""
    with timed(context, THE_CLUSTER, Kind.STAGE):
        wait_for_all([push for host in context.hosts(Kind.STAGE) for push in _pushes(context, host)])


def _pushes(context: Context, host: Host) -> Iterator[Pushing]:
    due = context.plan.items(host.name, Kind.STAGE)
    if files := [_staged(context, file) for file in context.manifest.files if file.path in due]:
        yield context.executor.push(host, context.request.bundle, files)
    if images := push_images(context, host, due):
        yield images


def _staged(context: Context, file: BundleFile) -> BundleFile:
    return file.model_copy(update={"path": host_paths.staged(context.manifest.kubernetes_version, file.path)})


def prepare(context: Context) -> None:
    """Configuration and due keys on all hosts at once, but what a control plane is made of: that is switched."""
    prepare_hosts(context, left_out=(Part.CONTROL_PLANE,))


def tidy(context: Context) -> None:
    """Remove what was staged and what was replaced: with the last step there is no way back by a rename any more."""
    hosts = context.reachable(context.inventory.hosts)
    context.deploy(hosts, recipes.remove_staged, directory=host_paths.VERSIONS)


def tidy_staged(context: Context) -> None:
    """The same, of an upgrade that was killed before its last step."""
    context.deploy(context.hosts(Kind.TIDY_STAGED), recipes.remove_staged, directory=host_paths.VERSIONS)


STAGE = Phase("Stage binaries and images", (Kind.STAGE,), stage)
PREPARE = Phase("Prepare hosts", (Kind.PACKAGES, Kind.FILES, Kind.KEYS), prepare)
TIDY = Phase("Remove staged files", (), tidy, when=lambda context: context.result.changed)
TIDY_STAGED = Phase("Remove an earlier upgrade's staged files", (Kind.TIDY_STAGED,), tidy_staged)
