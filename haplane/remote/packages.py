"""Debian packages from a directory of this machine, for hosts that reach no repository."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from haplane.config.model import Host
from haplane.errors import BadInput
from haplane.remote.openssh import run

REMOTE_DIRECTORY = "/var/lib/haplane/packages"


def packages_in(directory: str) -> list[Path]:
    """The .deb files there. Raises BadInput when there is none."""
    packages = sorted(Path(directory).expanduser().glob("*.deb"))
    if not packages:
        raise BadInput(
            "there are no packages to install from",
            where=f"cluster.package_directory = {directory}",
            why="the directory holds no .deb file",
            next_step="put haproxy's and keepalived's packages, with what they depend on, there",
        )
    return packages


def send_packages(host: Host, directory: str) -> None:
    """Put the .deb files of ``directory`` into REMOTE_DIRECTORY. Raises BadInput when it has none."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for package in packages_in(directory):
            archive.add(package, package.name)
    script = f"mkdir -p {REMOTE_DIRECTORY} && tar -x -C {REMOTE_DIRECTORY} --no-same-owner"
    run(host, "sh", "-c", script, stdin=buffer.getvalue(), deadline_seconds=300)
