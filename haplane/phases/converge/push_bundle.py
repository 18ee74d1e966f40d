"""Send binaries, which etcd and the container runtime wait for, and images, which arrive beside everything else."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.context.phase import Phase
from haplane.deploys.recipes import start_runtime
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.errors import HaplaneError
from haplane.executor import Pushing


def push_bundle(context: Context) -> None:
    """Start two streams per host, of what differs there: nobody waits for images before the masters need them."""
    hosts = context.hosts(Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME)
    context.result.binary_pushes = [push for host in hosts if (push := _binaries(context, host))]
    context.result.image_pushes = [
        push for host in hosts if (push := push_images(context, host, context.plan.items(host.name, Kind.BUNDLE)))
    ]


def start_container_runtime(context: Context) -> None:
    """Wait for the binaries and start containerd, which takes the images in as they arrive."""
    wait_for_all(context.result.binary_pushes)
    runtime_hosts = context.hosts(Kind.RUNTIME, Kind.IMAGES)
    context.deploy(runtime_hosts, start_runtime, paths_of=context.paths(runtime_hosts, Part.CONTAINERD))


def _binaries(context: Context, host: Host) -> Pushing | None:
    differing = set(context.plan.items(host.name, Kind.BUNDLE))
    files = [file for file in context.manifest.files if file.path in differing]
    return context.executor.push(host, context.request.bundle, files) if files else None


def push_images(context: Context, host: Host, differing: Collection[str]) -> Pushing | None:
    """Archives that differ are sent; of the others the host imports those that containerd lacks, or may lack.

    That an archive has arrived does not say that it was imported before the run ended that sent it.
    """
    wanted = [image for image in context.manifest.images if set(image.roles) & set(context.wants[host.name].roles)]
    known = set(context.report(host).images or ())
    files = [image.file for image in wanted if image.file.path in differing]
    here = {
        image.file.path: image.reference
        for image in wanted
        if image.file.path not in differing and image.reference not in known
    }
    return context.executor.push(host, context.request.bundle, files, here) if files or here else None


def wait_for_all(pushes: Sequence[Pushing]) -> None:
    """Wait for every stream, then raise the first failure."""
    failures = []
    for push in pushes:
        try:
            push.wait()
        except HaplaneError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def wait_for_images(context: Context, hosts: Sequence[Host]) -> None:
    """Those of these hosts; the others' stream on."""
    wait_for_all([push for push in context.result.image_pushes if push.host in hosts])


def finish_pushes(context: Context) -> None:
    """Images that no phase had to wait for arrive before the run ends."""
    wait_for_all(context.result.image_pushes)


PUSH_BUNDLE = Phase("Push binaries and images", (Kind.BUNDLE, Kind.IMAGES), push_bundle, also_after=(Kind.RUNTIME,))
START_CONTAINER_RUNTIME = Phase(
    "Start the container runtime", (Kind.RUNTIME,), start_container_runtime, also_after=(Kind.BUNDLE, Kind.IMAGES)
)
FINISH_PUSHES = Phase("Finish pushing images", (), finish_pushes, also_after=(Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME))
