"""What QEMU is started with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from haplane.config.load import load_inventory
from haplane.errors import BadInput
from haplane.lab.kinds import kind_of
from haplane.lab.plan import plan
from haplane.lab.qemu.accelerator import KVM
from haplane.lab.qemu.disk import files, recipe
from haplane.lab.qemu.machine import Qemu, qemu_command

CLOCK = datetime(2028, 1, 5, tzinfo=UTC)


def test_a_machine_is_on_the_labs_bridge_alone(small_lab) -> None:
    lab = plan(small_lab(machines="qemu", debian=13, memory_mib=3072))
    words = qemu_command(lab, lab.hosts[1], KVM, CLOCK)
    assert [word for word in words if word.startswith(("tap,", "user,"))] == [
        f"tap,id=cable,ifname={lab.hosts[1].port},script=no,downscript=no"
    ]
    assert "base=2028-01-05T00:00:00" in words
    assert words[words.index("-m") + 1] == "3072"
    assert "mitigations=off" not in words[words.index("-append") + 1]
    assert isinstance(kind_of(lab), Qemu)


def test_one_behind_a_nat_has_that_interface_first_and_it_leads_nowhere(small_lab) -> None:
    lab = plan(small_lab(machines="qemu"))
    words = qemu_command(lab, lab.hosts[0], KVM, CLOCK)
    backends = [words[at + 1].partition(",")[0] for at, word in enumerate(words) if word == "-netdev"]
    assert backends == ["user", "tap"]
    assert "user,id=outside,restrict=on" in words


def test_interfaces_are_told_apart_by_their_hardware_address_and_one_has_the_default_route(small_lab) -> None:
    lab = plan(small_lab(machines="qemu"))
    behind_nat, plain = ({each.path: each.text for each in files(lab, host)} for host in lab.hosts)
    network = "/etc/systemd/network"
    assert f"MACAddress={lab.hosts[0].hardware_address}" in behind_nat[f"{network}/10-lab.network"]
    assert "Gateway" not in behind_nat[f"{network}/10-lab.network"]
    assert "Gateway=10.0.2.2\n" in behind_nat[f"{network}/20-nat.network"]
    assert "Gateway=10.89.9.1\n" in plain[f"{network}/10-lab.network"]
    assert f"{network}/20-nat.network" not in plain


def test_another_debian_is_another_image(small_lab) -> None:
    twelve, thirteen = (recipe(plan(small_lab(machines="qemu", debian=version))) for version in (12, 13))
    assert (twelve.suite, thirteen.suite) == ("bookworm", "trixie")
    assert twelve.key != thirteen.key


@pytest.mark.parametrize("name", ["lab_vm", "lab_vm1"])
def test_nothing_is_tuned_on_machines_of_their_own(name: str) -> None:
    cluster = load_inventory(f"inventories/{name}.py").cluster
    assert cluster.tuning == type(cluster.tuning)()
    assert cluster.lab is not None
    assert cluster.lab.machines == "qemu"


def test_containers_are_not_made_of_a_debian_that_does_not_boot_in_them(small_lab) -> None:
    with pytest.raises(BadInput) as refusal:
        small_lab(debian=13)
    assert 'cluster["lab"]["debian"]' in str(refusal.value)
    assert '"machines": "qemu"' in str(refusal.value)
