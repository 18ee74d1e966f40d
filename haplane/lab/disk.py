"""A host's disk: an overlay above the image, written as files while the host is off. It outlives power cuts."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from haplane.errors import HaplaneError
from haplane.lab import paths
from haplane.lab.identity import public_half
from haplane.lab.image import image_key, lower_directories
from haplane.lab.plan import LabHost, Plan

REAL_DIRECTORIES = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet", "etcd": "/var/lib/etcd"}
"""Bound from the machine's file system: containerd's overlays do not stack on the host's, and etcd needs a disk."""

NO_NAME_SERVER = "198.51.100.53"
"""A documentation address (RFC 5737) that hosts have an ``unreachable`` route for: every look-up fails at once."""

OPERATOR = (1000, 37)  # uid of the image's user, gid of Debian's group of that name

MASKED = (
    # What belongs to the machine or to its console, not to a host nested in it.
    *("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-logind.service", "getty.target"),
    *("console-getty.service", "systemd-pstore.service", "systemd-random-seed.service", "systemd-repart.service"),
    *("proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "sys-kernel-config.mount", "sys-fs-fuse-connections.mount"),
    # What wakes an idle host.
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("e2scrub_reap.service", "systemd-tmpfiles-clean.timer"),
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


@dataclass(frozen=True)
class Written:
    """One file (or, with ``link``, a symbolic link) to put on a new disk."""

    path: str
    text: str = ""
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    link: str | None = None


def files(plan: Plan, host: LabHost) -> Iterable[Written]:
    """What makes the image this host, but for its keys. Pure, except that each call draws a new machine id."""
    units = "/etc/systemd/system"
    yield Written("/etc/hostname", f"{host.name}\n")
    yield Written("/etc/hosts", hosts_file(plan))
    yield Written("/etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
    yield Written("/etc/resolv.conf", f"nameserver {NO_NAME_SERVER}\noptions timeout:1 attempts:1\n")
    yield Written("/etc/sudoers.d/operator", "operator ALL=(ALL:ALL) NOPASSWD: ALL\n", mode=0o440)
    yield Written("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n")
    yield Written(f"{units}/lab-mounts.service", MOUNTS_UNIT)
    yield Written(f"{units}/sysinit.target.wants/lab-mounts.service", link="../lab-mounts.service")
    for unit in MASKED:
        yield Written(f"{units}/{unit}", link="/dev/null")
    # These two set kernel.* and fs.*, which are the machine's; what a tool writes for net.* is applied as usual.
    for name in ("50-pid-max.conf", "99-protect-links.conf"):
        yield Written(f"/etc/sysctl.d/{name}", link="/dev/null")


def hosts_file(plan: Plan) -> str:
    """/etc/hosts: the lab has no name server, so every host knows all of them."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{other.address} {other.name}" for other in plan.hosts]
    return "".join(f"{line}\n" for line in lines)


def ensure_disk(plan: Plan, host: LabHost) -> None:
    """Make the disk unless it is there. A half-made one is made again."""
    directory = paths.host_directory(plan.name, host.name)
    upper, image = directory / "upper", directory / "image"
    for name in (*REAL_DIRECTORIES, "root", "work"):
        (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / name).chmod(0o700 if name == "etcd" else 0o755)
    if not image.exists():
        image.write_text(image_key())
    if upper.exists():
        return
    partial = directory / "upper.partial"
    _remove(partial)
    partial.mkdir()
    partial.chmod(0o755)
    for written in (*files(plan, host), *_keys()):
        _write(partial, written)
    partial.rename(upper)


def _keys() -> Iterable[Written]:
    accepted = public_half(paths.client_key()) + "\n"
    yield Written("/root/.ssh/authorized_keys", accepted, mode=0o600)
    yield Written("/home/operator/.ssh/authorized_keys", accepted, mode=0o600, owner=OPERATOR)
    yield Written("/etc/ssh/ssh_host_ed25519_key", paths.host_key().read_text(), mode=0o600)
    yield Written("/etc/ssh/ssh_host_ed25519_key.pub", public_half(paths.host_key()) + "\n")


PRIVATE = {"root": 0o700, ".ssh": 0o700}
"""Directories that are not 0755; an upper directory hides the mode of the image's."""


def _write(disk: Path, written: Written) -> None:
    path = disk / written.path.lstrip("/")
    for parent in reversed(path.relative_to(disk).parents[:-1]):
        directory = disk / parent
        if not directory.exists():
            directory.mkdir()
            directory.chmod(PRIVATE.get(parent.name, 0o755))
            if written.owner != (0, 0) and parent.parts[:2] == ("home", "operator"):
                os.chown(directory, *written.owner)
    if written.link is not None:
        path.symlink_to(written.link)
        return
    path.touch(mode=0o600)
    path.write_text(written.text)
    path.chmod(written.mode)
    os.chown(path, *written.owner)


def layers(plan: Plan, host: LabHost) -> Sequence[Path]:
    """The read-only layers below the disk: of the image it was made on, which need not be today's.

    Raises HaplaneError when that image is gone.
    """
    key = (paths.host_directory(plan.name, host.name) / "image").read_text()
    found = lower_directories(key, host)
    if not all(layer.exists() for layer in found):
        raise HaplaneError(
            f"{host.name}: the base image its disk was made on is gone",
            where=str(paths.image_directory(key)),
            next_step="haplane lab down INVENTORY, then haplane lab up INVENTORY",
        )
    return found


def wipe_disk(plan: Plan, host: LabHost, only: str | None) -> None:
    """Empty the whole disk of a host that is off, or one of its real directories (a key of REAL_DIRECTORIES)."""
    directory = paths.host_directory(plan.name, host.name)
    _remove(directory / only if only else directory)
    ensure_disk(plan, host)


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
