"""containerd, as soon as its binaries are there."""

from __future__ import annotations

from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import start_runtime
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.procedures.pushes import wait_for_all


def start_container_runtime(context: Context) -> None:
    """Wait for the binaries and start containerd, which takes the images in as they arrive."""
    wait_for_all(context.result.binary_pushes)
    runtime_hosts = context.hosts(Kind.RUNTIME, Kind.IMAGES)
    context.deploy(runtime_hosts, start_runtime, paths_of=context.paths(runtime_hosts, Part.CONTAINERD))


START_CONTAINER_RUNTIME = Phase(
    "Start the container runtime", (Kind.RUNTIME,), start_container_runtime, also_after=(Kind.BUNDLE, Kind.IMAGES)
)
