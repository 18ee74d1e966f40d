"""One virtual machine: QEMU in the host's cgroup, a tap device on the lab's bridge for a cable.

A power cut is the death of QEMU: what the guest's kernel had not yet written to its disk is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from haplane.domain.progress import Progress, silent
from haplane.lab import cgroups, debian, network
from haplane.lab.command import exclusive
from haplane.lab.machine_kind import Patience
from haplane.lab.plan import LabHost, Plan
from haplane.lab.power import inside, launch
from haplane.lab.qemu import monitor
from haplane.lab.qemu.accelerator import QEMU, Accelerator, chosen
from haplane.lab.qemu.disk import boot_file, disk, ensure_disk, ensure_template, recipe, wipe_disk

CABLE, OUTSIDE = "cable", "outside"
CLOCK = "clock"
"""How many seconds the host's clock is ahead, in its directory; a machine's battery."""


class Qemu:
    """A :class:`haplane.lab.machine_kind.MachineKind`."""

    tools: Mapping[str, str] = {QEMU: "qemu-system-x86", "mkfs.ext4": "e2fsprogs"}

    def prepare(self, plan: Plan, progress: Progress) -> None:
        image = recipe(plan).directory
        debian.ensure_image(recipe(plan), progress)
        with exclusive(image.parent / "disks.lock", seconds=debian.BUILD_SECONDS, what="making the lab's disks"):
            for bare in {host.bare for host in plan.hosts}:
                ensure_template(image, progress, bare=bare)
        self._accelerator(plan, progress)

    def patience(self, plan: Plan) -> Patience:
        return self._accelerator(plan).patience

    def boot(self, plan: Plan, host: LabHost) -> None:
        """Its disk and cable, then its power. Returns at once."""
        ensure_disk(plan, host)
        network.plug_tap(plan, host)
        directory = disk(host).parent
        words = qemu_command(plan, host, self._accelerator(plan), datetime.now(UTC) + ahead(directory))
        launch(host, [*inside(host.cgroup), "setsid", "--fork", *words], directory / "qemu.log", directory=directory)

    def process(self, host: LabHost) -> int | None:
        return min(cgroups.members(host.cgroup), default=None)

    def clear(self, host: LabHost) -> None:
        """Nothing: the sockets that a killed QEMU leaves are made anew by the next."""

    def set_carrier(self, host: LabHost, *, on: bool) -> None:
        monitor.command(disk(host).parent, "set_link", name=CABLE, up=on)

    def set_clock_ahead(self, host: LabHost, ahead: timedelta) -> None:
        (disk(host).parent / CLOCK).write_text(f"{ahead.total_seconds():.0f}\n")

    def wipe(self, plan: Plan, host: LabHost, part: str | None) -> None:
        wipe_disk(host, part)

    def _accelerator(self, plan: Plan, progress: Progress = silent) -> Accelerator:
        return chosen(lambda: boot_file(recipe(plan).directory, "vmlinuz"), progress)


def ahead(directory: Path) -> timedelta:
    """How far the clock of the host of that directory is ahead of ours."""
    clock = directory / CLOCK
    return timedelta(seconds=int(clock.read_text())) if clock.exists() else timedelta()


def qemu_command(plan: Plan, host: LabHost, accelerator: Accelerator, clock: datetime) -> list[str]:
    """The words that power a host on, in its directory; ``clock`` is what its clock shows, in UTC."""
    kernel = f"root=/dev/vda rw console=ttyS0 {accelerator.kernel}".rstrip()
    nat = [
        *("-netdev", f"user,id={OUTSIDE},restrict=on"),  # VirtualBox's and Vagrant's addresses, and no way out
        *("-device", f"virtio-net-pci,netdev={OUTSIDE},mac={network.NAT_HARDWARE_ADDRESS},romfile="),
    ]
    return [
        *(QEMU, "-name", host.machine, "-nodefaults", "-no-user-config", "-display", "none", *accelerator.words),
        *("-m", str(plan.hardware.memory_mib), "-smp", str(plan.hardware.processors)),
        *("-rtc", f"base={clock:%Y-%m-%dT%H:%M:%S}"),
        *("-kernel", "vmlinuz", "-initrd", "initrd.img", "-append", kernel),
        *("-drive", "file=disk,format=raw,if=virtio,cache=writeback"),
        *(nat if host.behind_nat else ()),
        *("-netdev", f"tap,id={CABLE},ifname={host.port},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev={CABLE},mac={host.hardware_address},romfile="),
        *("-device", "virtio-rng-pci"),
        *("-chardev", "file,id=console,path=console.log", "-serial", "chardev:console"),
        *("-qmp", f"unix:{monitor.SOCKET},server=on,wait=off"),
    ]
