"""Send binaries, which etcd and the container runtime wait for, and images, which arrive beside everything else."""

from __future__ import annotations

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.executor import Pushing
from haplane.procedures.pushes import push_images, wait_for_all


def push_bundle(context: Context) -> None:
    """Start two streams per host, of what differs there: nobody waits for images before the masters need them."""
    hosts = context.hosts(Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME)
    context.result.binary_pushes = [push for host in hosts if (push := _binaries(context, host))]
    context.result.image_pushes = [
        push for host in hosts if (push := push_images(context, host, context.plan.items(host.name, Kind.BUNDLE)))
    ]


def _binaries(context: Context, host: Host) -> Pushing | None:
    differing = set(context.plan.items(host.name, Kind.BUNDLE))
    files = [file for file in context.manifest.files if file.path in differing]
    return context.executor.push(host, context.request.bundle, files) if files else None


def finish_pushes(context: Context) -> None:
    """Images that no phase had to wait for arrive before the run ends."""
    wait_for_all(context.result.image_pushes)


PUSH_BUNDLE = Phase("Push binaries and images", (Kind.BUNDLE, Kind.IMAGES), push_bundle, also_after=(Kind.RUNTIME,))
FINISH_PUSHES = Phase("Finish pushing images", (), finish_pushes, also_after=(Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME))
