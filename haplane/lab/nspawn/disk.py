"""A host's disk: an overlay above the image, written as files while the host is off. It outlives power cuts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from haplane.errors import HaplaneError
from haplane.lab import debian, paths
from haplane.lab.disk import (
    PARTS,
    UNITS,
    WAKES_IDLE_HOSTS,
    Written,
    identity_files,
    key_files,
    masked,
    write_files,
)
from haplane.lab.plan import LabHost, Plan

RECIPE = debian.Recipe(12, "packages")

NOT_THIS_HOSTS = (
    # What belongs to the machine or to its console, not to a host nested in it.
    *("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-logind.service", "getty.target"),
    *("console-getty.service", "systemd-pstore.service", "systemd-random-seed.service", "systemd-repart.service"),
    *("proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "sys-kernel-config.mount", "sys-fs-fuse-connections.mount"),
)

MOUNTS_UNIT = """[Unit]
Description=Make cgroup controllers writable and mounts shared, as they are on a machine of its own
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for each in /sys/fs/cgroup/*/; do \\
    ! mountpoint -q "$each" || mount -o remount,bind,rw,nosuid,nodev,noexec "$each"; done; mount --make-rshared /'

[Install]
WantedBy=sysinit.target
"""


def files(plan: Plan, host: LabHost) -> Iterable[Written]:
    """What makes the image this host, but for its keys. Pure, except that each call draws a new machine id."""
    yield from identity_files(plan, host)
    yield Written("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n")
    yield Written(f"{UNITS}/lab-mounts.service", MOUNTS_UNIT)
    yield Written(f"{UNITS}/sysinit.target.wants/lab-mounts.service", link="../lab-mounts.service")
    yield from masked((*NOT_THIS_HOSTS, *WAKES_IDLE_HOSTS))
    # These two set kernel.* and fs.*, which are the machine's; what a tool writes for net.* is applied as usual.
    for name in ("50-pid-max.conf", "99-protect-links.conf"):
        yield Written(f"/etc/sysctl.d/{name}", link="/dev/null")


def ensure_disk(plan: Plan, host: LabHost) -> None:
    """Make the disk unless it is there. A half-made one is made again.

    PARTS are bound from the machine's file system: containerd's overlays do not stack on the host's, and etcd needs
    a disk.
    """
    directory = paths.host_directory(plan.name, host.name)
    upper, image = directory / "upper", directory / "image"
    for name in (*PARTS, "root", "work"):
        (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / name).chmod(0o700 if name == "etcd" else 0o755)
    if not image.exists():
        image.write_text(RECIPE.key)
    if upper.exists():
        return
    partial = directory / "upper.partial"
    _remove(partial)
    write_files(partial, (*files(plan, host), *key_files()))
    partial.rename(upper)


def layers(plan: Plan, host: LabHost) -> Sequence[Path]:
    """The read-only layers below the disk: of the image it was made on, which need not be today's.

    Raises HaplaneError when that image is gone.
    """
    key = (paths.host_directory(plan.name, host.name) / "image").read_text()
    found = debian.layers(paths.image_directory(key), bare=host.bare)
    if not all(layer.exists() for layer in found):
        raise HaplaneError(
            f"{host.name}: the base image its disk was made on is gone",
            where=str(paths.image_directory(key)),
            next_step="`haplane lab down INVENTORY`, then `haplane lab up INVENTORY`",
        )
    return found


def wipe_disk(plan: Plan, host: LabHost, part: str | None) -> None:
    """Empty the whole disk of a host that is off, or one of its PARTS."""
    directory = paths.host_directory(plan.name, host.name)
    _remove(directory / part if part else directory)
    ensure_disk(plan, host)


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
