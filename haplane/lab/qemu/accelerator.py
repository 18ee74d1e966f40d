"""What virtual machines run on: KVM where it works, emulation otherwise.

That /dev/kvm exists says little: some machines have one that boots no ordinary kernel. So it is tried, by booting the
image's kernel without a disk until it gives up, once after each start of this machine.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from haplane.domain.progress import Progress
from haplane.errors import HaplaneError
from haplane.lab import paths
from haplane.lab.command import run
from haplane.lab.machine_kind import Patience
from haplane.streams import capture

DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROBE_SECONDS = 15.0  # a kernel gives up within 2 under KVM
GIVES_UP = b"Kernel panic"
QEMU = "qemu-system-x86_64"


@dataclass(frozen=True)
class Accelerator:
    """``words`` are QEMU's, ``kernel`` is added to the command line of kernels."""

    name: str
    words: tuple[str, ...]
    patience: Patience
    kernel: str = ""


KVM = Accelerator("kvm", ("-accel", "kvm", "-cpu", "host"), Patience(boot_seconds=120.0, login_seconds=5.0))
EMULATION = Patience(boot_seconds=600.0, login_seconds=30.0)
THREADS_SINCE = 8
"""QEMU 7.2, of Debian 12, crashes guests that use cmpxchg16b (kernels and haproxy do) on several threads."""


def emulation() -> Accelerator:
    """Emulation on as many threads as this machine's QEMU does well."""
    threads = "multi" if _major_version() >= THREADS_SINCE else "single"
    # la57 and pku make emulated page tables slower; mitigations cost a quarter of the processor and protect nothing.
    words = ("-accel", f"tcg,thread={threads},tb-size=1024", "-cpu", "max,-la57,-pku")
    return Accelerator("emulation", words, EMULATION, kernel="mitigations=off")


def _major_version() -> int:
    found = re.search(r"version (\d+)\.", run(QEMU, "--version"))
    if found is None:
        raise HaplaneError(f"{QEMU} does not report its version")
    return int(found[1])


def chosen(kernel: Callable[[], Path], progress: Progress) -> Accelerator:
    """What works here, tried with that kernel unless it was since this machine was switched on."""
    if not DEVICE.exists():
        return emulation()
    known, boot = paths.accelerator(), BOOT_ID.read_text().strip()
    if not known.exists() or known.read_text().split()[:1] != [boot]:
        progress("this machine", "trying whether KVM boots a kernel")
        found = KVM.name if kvm_boots(kernel()) else "emulation"
        known.write_text(f"{boot} {found}\n")
        progress("this machine", f"virtual machines run on {found}")
    return KVM if known.read_text().split()[1:] == [KVM.name] else emulation()


def kvm_boots(kernel: Path) -> bool:
    """Whether a kernel gets as far, under KVM, as to miss its disk."""
    with tempfile.NamedTemporaryFile() as console:
        words = (
            *(QEMU, *KVM.words, "-nodefaults", "-no-user-config", "-display", "none", "-m", "256", "-no-reboot"),
            *("-kernel", str(kernel), "-append", "console=ttyS0 panic=-1", "-serial", f"file:{console.name}"),
        )
        try:
            capture(words, b"", deadline_seconds=PROBE_SECONDS)
        except TimeoutError:
            return False
        return GIVES_UP in Path(console.name).read_bytes()
