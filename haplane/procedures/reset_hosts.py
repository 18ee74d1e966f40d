"""haplane's cluster removed from hosts: everything stopped, data and keys moved, the rest removed."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.deploys.recipes import reset_host
from haplane.desired.snapshots import snapshot_directory


def reset_hosts(context: Context, hosts: Sequence[Host], directory: str) -> None:
    """On all of these hosts at once. ``directory`` is the name of that of what is kept."""
    context.deploy(
        hosts,
        reset_host,
        timestamp=directory,
        pod_network=str(context.inventory.cluster.pod_network),
        snapshot_directory=snapshot_directory(context.inventory),
        pushed=sorted(file.path for file in context.manifest.everything()),
    )
