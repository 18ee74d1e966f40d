"""A virtual machine's disk: a file with one ext4, made from the image's tree. The guest's kernel is the image's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from haplane.domain.progress import Progress
from haplane.errors import HaplaneError
from haplane.lab import debian, paths
from haplane.lab.command import run
from haplane.lab.disk import (
    NO_NAME_SERVER,
    PARTS,
    WAKES_IDLE_HOSTS,
    Written,
    identity_files,
    key_files,
    masked,
    write_files,
)
from haplane.lab.network import NAT_HARDWARE_ADDRESS, NAT_HOST, NAT_ROUTER
from haplane.lab.plan import LabHost, Plan
from haplane.scripts import script

DISK_SIZE = "16G"  # sparse: it takes what is written
WRITE_SECONDS = 600.0  # a gigabyte; a slow disk that others use too
PACKAGES = ("linux-image-cloud-amd64", "initramfs-tools", "e2fsprogs", "netbase", "kmod", "udev")


def recipe(plan: Plan) -> debian.Recipe:
    """The image of the lab's virtual machines."""
    version = plan.hardware.debian
    return debian.Recipe(version, f"packages-vm-{version}", PACKAGES, script("lab/finish_vm"))


def files(plan: Plan, host: LabHost) -> Iterable[Written]:
    """What makes the image this host, but for its keys. Pure, except that each call draws a new machine id."""
    yield from identity_files(plan, host)
    yield Written("/etc/systemd/network/10-lab.network", lab_network(plan, host))
    if host.behind_nat:
        yield Written("/etc/systemd/network/20-nat.network", NAT_NETWORK)
    yield from masked(WAKES_IDLE_HOSTS)


def lab_network(plan: Plan, host: LabHost) -> str:
    """systemd-networkd's file for the interface in the lab's network."""
    gateway = "" if host.behind_nat else f"Gateway={plan.gateway}\n"
    return (
        f"[Match]\nMACAddress={host.hardware_address}\n\n"
        f"[Network]\nAddress={host.address}/{plan.network.prefixlen}\n{gateway}\n"
        f"[Route]\nDestination={NO_NAME_SERVER}/32\nType=unreachable\n"
    )


# Not by DHCP: behind a closed NAT QEMU offers no router.
NAT_NETWORK = (
    f"[Match]\nMACAddress={NAT_HARDWARE_ADDRESS}\n\n[Network]\nAddress={NAT_HOST}\nGateway={NAT_ROUTER.ip}\n"
)


def disk(host: LabHost) -> Path:
    """The host's disk."""
    return paths.host_directory(host.lab, host.name) / "disk"


def ensure_disk(plan: Plan, host: LabHost) -> None:
    """Make the disk unless it is there, with the image's kernel beside it. A half-made one is made again."""
    directory = disk(host).parent
    directory.mkdir(parents=True, exist_ok=True)
    if disk(host).exists():
        return
    image = recipe(plan).directory
    template = image / ("plain.disk" if host.bare else "balancer.disk")
    if not template.exists():
        raise HaplaneError(
            f"{host.name}: the image its disk is made of is gone",
            where=str(template),
            next_step="`haplane lab up INVENTORY`",
        )
    partial = directory / "disk.partial"
    run("cp", "--sparse=always", "--reflink=auto", template, partial, timeout=WRITE_SECONDS)
    with tempfile.TemporaryDirectory(dir=directory) as temporary:
        tree = Path(temporary) / "tree"
        write_files(tree, (*files(plan, host), *key_files()))
        _mounting(script("lab/fill_disk", disk=str(partial), tree=str(tree)))
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy(boot_file(image, name), directory / name)
    partial.rename(disk(host))


def ensure_template(image: Path, progress: Progress, *, bare: bool) -> None:
    """Make the disk that hosts' disks are copies of, unless it is there."""
    template = image / ("plain.disk" if bare else "balancer.disk")
    if template.exists():
        return
    progress("base image", "making a disk of it")
    partial = template.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    layer = "" if bare else str(image / "balancer")
    _mounting(script("lab/make_disk", disk=str(partial), size=DISK_SIZE, tree=str(image / "root"), layer=layer))
    partial.rename(template)


def boot_file(image: Path, name: str) -> Path:
    """The image's kernel (``vmlinuz``) or its ``initrd.img``. Raises HaplaneError when there is none."""
    found = sorted((image / "root/boot").glob(f"{name}-*"))
    if not found:
        raise HaplaneError("the lab's image has no kernel", where=str(image / "root/boot"))
    return found[-1]


def wipe_disk(host: LabHost, part: str | None) -> None:
    """Remove the disk of a host that is off (the next start makes another), or empty one of its PARTS."""
    if part is None:
        shutil.rmtree(disk(host).parent)
        disk(host).parent.mkdir()
    elif disk(host).exists():
        _mounting(script("lab/empty_part", disk=str(disk(host)), part=PARTS[part]))


def _mounting(text: str) -> None:
    """Run a shell script whose mounts are gone when it ends, also when we are killed. Raises HaplaneError."""
    alone = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount")
    run(*alone, "sh", "-c", text, timeout=WRITE_SECONDS)
