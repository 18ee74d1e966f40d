"""What makes the image one host, whatever machine it is: names, addresses, keys. Written while the host is off."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from haplane.lab import paths
from haplane.lab.identity import public_half
from haplane.lab.plan import LabHost, Plan

PARTS = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet", "etcd": "/var/lib/etcd"}
"""Parts of a disk that can be wiped alone, and where they are on the host."""

NO_NAME_SERVER = "198.51.100.53"
"""A documentation address (RFC 5737) that hosts have an ``unreachable`` route for: every look-up fails at once."""

OPERATOR = (1000, 37)  # uid of the image's user, gid of Debian's group of that name
UNITS = "/etc/systemd/system"

WAKES_IDLE_HOSTS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("e2scrub_reap.service", "systemd-tmpfiles-clean.timer"),
)


@dataclass(frozen=True)
class Written:
    """One file (or, with ``link``, a symbolic link) to put on a new disk."""

    path: str
    text: str = ""
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    link: str | None = None


def masked(units: Iterable[str]) -> Iterable[Written]:
    """The links that keep systemd from starting these."""
    for unit in units:
        yield Written(f"{UNITS}/{unit}", link="/dev/null")


def identity_files(plan: Plan, host: LabHost) -> Iterable[Written]:
    """What every host has, but for its keys. Pure, except that each call draws a new machine id."""
    yield Written("/etc/hostname", f"{host.name}\n")
    yield Written("/etc/hosts", hosts_file(plan))
    yield Written("/etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
    yield Written("/etc/resolv.conf", f"nameserver {NO_NAME_SERVER}\noptions timeout:1 attempts:1\n")
    yield Written("/etc/sudoers.d/operator", "operator ALL=(ALL:ALL) NOPASSWD: ALL\n", mode=0o440)


def hosts_file(plan: Plan) -> str:
    """/etc/hosts: the lab has no name server, so every host knows all of them."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{other.address} {other.name}" for other in plan.hosts]
    return "".join(f"{line}\n" for line in lines)


def key_files() -> Iterable[Written]:
    """The key that hosts accept, and the one they show."""
    accepted = public_half(paths.client_key()) + "\n"
    yield Written("/root/.ssh/authorized_keys", accepted, mode=0o600)
    yield Written("/home/operator/.ssh/authorized_keys", accepted, mode=0o600, owner=OPERATOR)
    yield Written("/etc/ssh/ssh_host_ed25519_key", paths.host_key().read_text(), mode=0o600)
    yield Written("/etc/ssh/ssh_host_ed25519_key.pub", public_half(paths.host_key()) + "\n")


PRIVATE = {"root": 0o700, ".ssh": 0o700}
"""Directories that are not 0755; what lies above the image hides the mode of the image's."""


def write_files(directory: Path, files: Iterable[Written]) -> None:
    """Make a tree of these files, to be laid above an image."""
    directory.mkdir()
    directory.chmod(0o755)
    for written in files:
        _write(directory, written)


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
