"""Packages from a directory of this machine, for hosts that reach no repository."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from haplane.config.model import Host
from haplane.errors import BadInput
from haplane.remote.openssh import run
from haplane.scripts import script
from haplane.ssh import ARCHIVE_SECONDS


def packages_in(directory: str, *suffixes: str) -> list[Path]:
    """The files there with one of these suffixes. Raises BadInput when there is none."""
    place = Path(directory).expanduser()
    packages = sorted(path for path in place.glob("*") if path.suffix in suffixes)
    if not packages:
        raise BadInput(
            "there are no packages to install",
            where=f'cluster["package_directory"]: {directory}',
            why=f"it holds no {' and no '.join(suffixes)} file" if place.is_dir() else "there is no such directory",
            next_step="copy the packages haproxy, keepalived and nftables and their dependencies there",
        )
    return packages


def send_packages(host: Host, directory: str, suffix: str) -> None:
    """Put the packages of ``directory`` into PACKAGES. Raises BadInput when it has none."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for package in packages_in(directory, suffix):
            archive.add(package, package.name)
    run(host, "sh", "-c", script("unpack_packages"), stdin=buffer.getvalue(), deadline_seconds=ARCHIVE_SECONDS)
