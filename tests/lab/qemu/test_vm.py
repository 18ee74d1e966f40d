"""A virtual machine behind a NAT, made, abused and removed: one story, in order. Needs root; minutes, emulated."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from haplane.config.model import Inventory
from haplane.errors import HaplaneError, Refused
from haplane.lab import cgroups, lifecycle, network, paths
from haplane.lab.command import run
from haplane.lab.identity import ssh_command
from haplane.lab.plan import LabHost, plan
from haplane.lab.qemu.machine import Qemu
from haplane.lab.status import status
from haplane.waiting import wait_until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.soak,
    pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root"),
]

LOGIN_SECONDS = 60
DAYS = 403
DIAL = "timeout 20 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80' 2>&1 || true"


@pytest.fixture(scope="module")
def inventory(small_lab: Callable[..., Inventory]) -> Iterator[Inventory]:
    made = small_lab(machines="qemu", debian=13, memory_mib=1024)
    lifecycle.down(made)
    lifecycle.up(made, hosts=["one"])
    yield made
    lifecycle.down(made)


@pytest.fixture(scope="module")
def one(inventory: Inventory) -> LabHost:
    return plan(inventory).hosts[0]


def on(host: LabHost, *command: str) -> str:
    words = ssh_command(host, *command, connect_seconds=LOGIN_SECONDS)
    return run(*words, timeout=LOGIN_SECONDS).strip()


def state(inventory: Inventory) -> str:
    return status(inventory)[0].state


def test_it_is_a_machine_behind_a_nat_with_no_way_out(one: LabHost) -> None:
    assert on(one, "cat /proc/1/comm; stat -f -c %T /sys/fs/cgroup").split() == ["systemd", "cgroup2fs"]
    outside, inside = on(one, "ip -4 -oneline address show scope global").splitlines()
    assert "10.0.2.15/24" in outside
    assert "10.89.9.11/24" in inside
    assert outside.split()[1] in on(one, "ip route show default")
    began = time.monotonic()
    on(one, DIAL)
    assert time.monotonic() - began < 15
    assert "No route to host" in on(one, "ip route get 198.51.100.53 2>&1 || true")


def test_an_unplugged_machine_sees_that_it_has_no_carrier(inventory: Inventory, one: LabHost) -> None:
    lifecycle.cut(inventory, ["one"])
    assert state(inventory) == "cut"
    time.sleep(5)
    lifecycle.heal(inventory, ["one"])
    assert state(inventory) == "running"
    said = on(one, "journalctl --boot --output=cat --unit=systemd-networkd")
    assert re.search("Lost carrier.*Gained carrier", said, re.DOTALL), said


def test_a_power_cut_loses_what_was_not_written_to_the_disk(inventory: Inventory, one: LabHost) -> None:
    on(one, "mkdir -p /var/lib/etcd; echo kept | tee /var/lib/etcd/kept /root/there; sync; echo lost > /root/lost")
    lifecycle.kill(inventory, ["one"])
    assert state(inventory) == "stopped"
    assert not cgroups.exists(one.cgroup)
    assert not network.exists(one)
    lifecycle.start(inventory, ["one"], clock_ahead=timedelta(days=DAYS))
    assert on(one, "cat /var/lib/etcd/kept; cat /root/lost 2>/dev/null || true") == "kept"
    ahead = int(on(one, "date +%s")) - time.time()
    assert abs(ahead - DAYS * 86400) < LOGIN_SECONDS
    with pytest.raises(Refused, match="running"):
        lifecycle.start(inventory, ["one"], clock_ahead=timedelta())


def test_a_reboot_from_within_keeps_power_cable_and_clock(inventory: Inventory, one: LabHost) -> None:
    process, boot = Qemu().process(one), on(one, "cat /proc/sys/kernel/random/boot_id")
    on(one, "systemd-run --on-active=1 systemctl reboot")
    wait_until(lambda: state(inventory) == "running" and _another(one, boot), 600, "it has booted again", every=2.0)
    assert Qemu().process(one) == process
    assert int(on(one, "date +%s")) - time.time() > (DAYS - 1) * 86400


def _another(host: LabHost, boot: str) -> bool:
    try:
        return on(host, "cat /proc/sys/kernel/random/boot_id") != boot
    except HaplaneError:  # it is rebooting
        return False


def test_a_part_of_the_disk_is_wiped_then_all_of_it_then_everything(inventory: Inventory, one: LabHost) -> None:
    lifecycle.kill(inventory, ["one"])
    lifecycle.wipe(inventory, ["one"], only="etcd")
    lifecycle.start(inventory, ["one"])
    assert on(one, "ls -A /var/lib/etcd; ls /root/there") == "/root/there"
    lifecycle.kill(inventory, ["one"])
    lifecycle.wipe(inventory, ["one"])
    lifecycle.start(inventory, ["one"])
    assert on(one, "ls /root/there 2>/dev/null || echo gone") == "gone"
    lifecycle.down(inventory)
    assert not paths.lab_directory(one.lab).exists()
    assert state(inventory) == "absent"
