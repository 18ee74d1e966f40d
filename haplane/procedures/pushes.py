"""Streams of binaries and images to hosts: begun, and waited for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from haplane.config.model import Host
from haplane.context.context import Context
from haplane.errors import HaplaneError
from haplane.executor import Pushing


def push_images(context: Context, host: Host, differing: Collection[str]) -> Pushing | None:
    """Archives that differ are sent; of the others the host imports those that containerd lacks, or may lack.

    That an archive has arrived does not say that it was imported before the run ended that sent it.
    """
    wanted = [image for image in context.manifest.images if set(image.roles) & set(context.wants[host.name].roles)]
    report = context.report(host)
    known = set(report.images or ())
    files = [image.file for image in wanted if image.file.path in differing]
    here = {
        image.file.path: image.reference
        for image in wanted
        if report.bundle.get(image.file.path) == image.file.sha256 and image.reference not in known
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
