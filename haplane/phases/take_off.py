"""Take haplane's cluster off hosts: everything stopped, data and keys aside, the rest removed."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.deploys.recipes import reset_host
from haplane.desired.snapshots import snapshot_directory
from haplane.phases.phase import Run
from haplane.remote.session import deploy


def take_off(run: Run, hosts: Sequence[Host], stamp: str) -> None:
    """On all of these hosts at once. ``stamp`` is a date that names the directory of what is kept."""
    deploy(
        hosts,
        reset_host,
        run.progress,
        stamp=stamp,
        pod_network=str(run.inventory.cluster.pod_network),
        snapshot_directory=snapshot_directory(run.inventory),
        pushed=sorted(file.path for file in run.manifest.everything()),
    )
