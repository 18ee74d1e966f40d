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
    run.binary_pushes = [push for push in _pushes(run, images=False) if push is not None]
    run.image_pushes = [push for push in _pushes(run, images=True) if push is not None]


def start_container_runtime(run: Run) -> None:
    """Wait for the binaries and start containerd, which takes the images in as they arrive."""
    wait_for_all(run.binary_pushes)
    runtime_hosts = run.hosts(Kind.RUNTIME, Kind.IMAGES)
    deploy(
        runtime_hosts,
        start_runtime,
        run.progress,
        paths_of=run.paths(runtime_hosts, Part.CONTAINERD),
        archives_of={host.name: _archives(run, host) for host in runtime_hosts},
    )


def _archives(run: Run, host: Host) -> dict[str, str]:
    """Those on a host whose containerd could not be asked: that they arrived does not say that it has them."""
    if run.report(host).images is not None or run.plan.items(host.name, Kind.IMAGES):
        return {}
    wanted = run.wants[host.name].images
    return {image.reference: image.file.path for image in run.manifest.images if image.reference in wanted}


def _pushes(run: Run, *, images: bool) -> list[Push | None]:
    hosts = run.hosts(Kind.BUNDLE, Kind.IMAGES)
    return [_push(run, host.name, images=images) for host in hosts]


def _push(run: Run, name: str, *, images: bool) -> Push | None:
    differing = set(run.plan.items(name, Kind.BUNDLE))
    unknown = set(run.plan.items(name, Kind.IMAGES))
    if images:
        files = [
            image.file for image in run.manifest.images if image.reference in unknown or image.file.path in differing
        ]
        files = [file for file in files if set(file.roles) & set(run.wants[name].roles)]
    else:
        files = [file for file in run.manifest.files if file.path in differing]
    return Push(run.inventory.host(name), run.bundle, files, run.progress) if files else None


def wait_for_images(run: Run, hosts: Sequence[Host]) -> None:
    """Those of these hosts; the others' stream on."""
    wait_for_all([push for push in run.image_pushes if push.host in hosts])


def finish_pushes(run: Run) -> None:
    """Images that no phase had to wait for arrive before the run ends."""
    wait_for_all(run.image_pushes)


PUSH_BUNDLE = Phase("Push binaries and images", (Kind.BUNDLE, Kind.IMAGES), push_bundle)
START_CONTAINER_RUNTIME = Phase(
    "Start the container runtime", (Kind.RUNTIME,), start_container_runtime, also_after=(Kind.BUNDLE, Kind.IMAGES)
)
FINISH_PUSHES = Phase("Finish pushing images", (), finish_pushes, also_after=(Kind.BUNDLE, Kind.IMAGES))
