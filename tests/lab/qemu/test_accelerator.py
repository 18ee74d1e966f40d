"""Whether KVM works is tried, not read off a file's presence, and once while this machine is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from haplane.lab import paths
from haplane.lab.qemu import accelerator
from haplane.lab.qemu.accelerator import KVM, chosen, kvm_boots

KERNEL = Path("vmlinuz")
VERSION = 'if [ "$1" = --version ]; then echo "QEMU emulator version 7.2.22 (Debian 1:7.2)"; exit; fi'
BOOTS = 'for last; do :; done; echo "Kernel panic - not syncing: VFS" > "${last#file:}"'


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that has the device; its qemu is a script."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths.state_directory().mkdir(parents=True)
    for name in ("DEVICE", "BOOT_ID"):
        monkeypatch.setattr(accelerator, name, tmp_path / name)
        (tmp_path / name).write_text("one\n")
    monkeypatch.setattr(accelerator, "QEMU", str(tmp_path / "qemu"))
    return tmp_path


def qemu(machine: Path, script: str) -> None:
    (machine / "qemu").write_text(f"#!/bin/sh\n{VERSION}\n{script}\n")
    (machine / "qemu").chmod(0o755)


def test_a_device_that_boots_no_kernel_is_not_used(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "PROBE_SECONDS", 0.3)
    for script in ("exec sleep 10", "exit 1", "true"):
        qemu(machine, script)
        assert not kvm_boots(KERNEL)


def test_it_is_tried_once_until_the_machine_is_switched_on_again(machine: Path) -> None:
    said: list[str] = []

    def choose() -> accelerator.Accelerator:
        return chosen(lambda: KERNEL, lambda subject, message, fraction=None: said.append(message))

    qemu(machine, BOOTS)
    assert [choose(), choose()] == [KVM, KVM]
    assert said == ["trying whether KVM boots a kernel", "virtual machines run on kvm"]
    qemu(machine, "exit 1")
    assert choose() == KVM
    (machine / "BOOT_ID").write_text("two\n")
    assert [choose().name, choose().name] == ["emulation", "emulation"]
    (machine / "BOOT_ID").write_text("three\n")
    (machine / "DEVICE").unlink()
    qemu(machine, BOOTS)
    assert choose().name == "emulation"


@pytest.mark.parametrize(("version", "threads"), [("7.2.22", "single"), ("8.0.0", "multi"), ("10.0.8", "multi")])
def test_debian_12s_qemu_emulates_on_one_thread(machine: Path, version: str, threads: str) -> None:
    """7.2 crashes guests that use cmpxchg16b on several."""
    (machine / "DEVICE").unlink()
    qemu(machine, "")
    (machine / "qemu").write_text((machine / "qemu").read_text().replace("7.2.22", version))
    accelerator_words = chosen(lambda: KERNEL, lambda subject, message, fraction=None: None).words
    assert f"tcg,thread={threads},tb-size=1024" in accelerator_words
