"""Send binaries, which etcd and the container runtime wait for, and images, which arrive beside everything else."""

from __future__ import annotations

from collections.abc import Sequence

from haplane.config.model import Host
from haplane.deploys.recipes import start_runtime
from haplane.domain.files import Part
from haplane.domain.plan import Kind
from haplane.phases.phase import Phase, Run
from haplane.remote.push import Push, wait_for_all
from haplane.remote.session import deploy


def push_bundle(run: Run) -> None:
    """Start two streams per host, of what differs there: nobody waits for images before the masters need them."""
    hosts = run.hosts(Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME)
    run.binary_pushes = [push for host in hosts if (push := _binaries(run, host))]
    run.image_pushes = [push for host in hosts if (push := _images(run, host))]


def start_container_runtime(run: Run) -> None:
    """Wait for the binaries and start containerd, which takes the images in as they arrive."""
    wait_for_all(run.binary_pushes)
    runtime_hosts = run.hosts(Kind.RUNTIME, Kind.IMAGES)
    deploy(runtime_hosts, start_runtime, run.progress, paths_of=run.paths(runtime_hosts, Part.CONTAINERD))


def _binaries(run: Run, host: Host) -> Push | None:
    differing = set(run.plan.items(host.name, Kind.BUNDLE))
    files = [file for file in run.manifest.files if file.path in differing]
    return Push(host, run.bundle, files, run.progress) if files else None


def _images(run: Run, host: Host) -> Push | None:
    """Archives that differ are sent; of the others the host is told that containerd lacks them, or may lack them.

    That an archive has arrived does not say that it was imported before the run ended that sent it.
    """
    differing = set(run.plan.items(host.name, Kind.BUNDLE))
    wanted = [image for image in run.manifest.images if set(image.roles) & set(run.wants[host.name].roles)]
    known = set(run.report(host).images or ())
    files = [image.file for image in wanted if image.file.path in differing]
    here = {
        image.file.path: image.reference
        for image in wanted
        if image.file.path not in differing and image.reference not in known
    }
    return Push(host, run.bundle, files, run.progress, here=here) if files or here else None


def wait_for_images(run: Run, hosts: Sequence[Host]) -> None:
    """Those of these hosts; the others' stream on."""
    wait_for_all([push for push in run.image_pushes if push.host in hosts])


def finish_pushes(run: Run) -> None:
    """Images that no phase had to wait for arrive before the run ends."""
    wait_for_all(run.image_pushes)


PUSH_BUNDLE = Phase("Push binaries and images", (Kind.BUNDLE, Kind.IMAGES), push_bundle, also_after=(Kind.RUNTIME,))
START_CONTAINER_RUNTIME = Phase(
    "Start the container runtime", (Kind.RUNTIME,), start_container_runtime, also_after=(Kind.BUNDLE, Kind.IMAGES)
)
FINISH_PUSHES = Phase("Finish pushing images", (), finish_pushes, also_after=(Kind.BUNDLE, Kind.IMAGES, Kind.RUNTIME))
