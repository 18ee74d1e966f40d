"""A lab of two hosts, made, abused and removed: one story, told in order. Needs root; leaves other labs alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from haplane.config.model import Inventory
from haplane.errors import BadInput, Refused
from haplane.lab import cgroups, lifecycle, network, paths
from haplane.lab.command import run
from haplane.lab.identity import ssh_command
from haplane.lab.nspawn.machine import NSPAWN_STATE, Nspawn
from haplane.lab.plan import LabHost, Plan, plan
from haplane.lab.status import status
from haplane.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")]

DIAL = """
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 80), 10)
    print("connected")
except OSError:
    print("refused at once" if time.monotonic() - began < 0.5 else "hung")
"""


@pytest.fixture(scope="module")
def inventory(small_lab: Callable[..., Inventory]) -> Iterator[Inventory]:
    made = small_lab()
    lifecycle.down(made)
    yield made
    lifecycle.down(made)


@pytest.fixture(scope="module")
def lab(inventory: Inventory) -> Plan:
    lifecycle.up(inventory)
    return plan(inventory)


def on(host: LabHost, *command: str, user: str = "root", stdin: str | None = None) -> str:
    return run(*ssh_command(host, *command, user=user), stdin=stdin, timeout=15).strip()


def hears(host: LabHost, other: LabHost) -> bool:
    ping = subprocess.run(ssh_command(host, f"ping -c1 -W1 {other.address}"), capture_output=True, check=False)
    return ping.returncode == 0


def states(inventory: Inventory) -> Sequence[str]:
    return [one.state for one in status(inventory)]


def traces(lab: Plan) -> list[str]:
    """Everything on this machine that still is this lab's."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "testlab" in line]
    namespaces = [each.name for each in network.NAMESPACES.glob(f"{lab.name}.*")]
    links = [link.name for link in network.LINKS.iterdir() if lab.owner in (link / "ifalias").read_text()]
    groups = [str(one.mount) for one in cgroups.hierarchies() if (one.mount / "haplane" / lab.name).exists()]
    rules = [line for line in run("nft", "list", "tables").splitlines() if line.endswith(network.table(lab.bridge))]
    mailboxes = [str(each) for each in NSPAWN_STATE.glob(f"propagate/{lab.name}-*")]
    return mounts + namespaces + links + groups + rules + mailboxes


def test_both_hosts_are_machines_of_their_own(inventory: Inventory, lab: Plan) -> None:
    one, two = lab.hosts
    assert [on(host, "hostname") for host in lab.hosts] == ["one", "two"]
    assert on(one, "cat /etc/machine-id") != on(two, "cat /etc/machine-id")
    assert on(one, "systemctl is-system-running --wait") == "running"
    assert on(two, "sudo id -u", user="operator") == "0"
    assert on(one, "getent hosts two") == "10.89.9.12      two"
    assert on(one, "sysctl -n -w net.ipv4.ip_forward=1") == "1"
    assert states(inventory) == ["running", "running"]


def test_one_sits_behind_a_nat_and_two_is_bare(lab: Plan) -> None:
    one, two = lab.hosts
    assert "dev eth0" in on(one, "ip route show default")
    assert "10.89.9.11/24" in on(one, "ip -brief address show eth1")
    assert on(one, "command -v haproxy keepalived").split() == ["/usr/sbin/haproxy", "/usr/sbin/keepalived"]
    assert on(two, "command -v haproxy keepalived || echo none") == "none"


@pytest.mark.parametrize("number", [0, 1])
def test_the_way_out_is_closed_and_says_so_at_once(lab: Plan, number: int) -> None:
    host = lab.hosts[number]
    assert on(host, "python3", "-", "192.0.2.1", stdin=DIAL) == "refused at once"
    assert on(host, "python3", "-", "name.invalid", stdin=DIAL) == "refused at once"


def test_up_on_a_running_lab_does_nothing(inventory: Inventory, lab: Plan) -> None:
    before = [Nspawn().process(host) for host in lab.hosts]
    lifecycle.up(inventory)
    assert [Nspawn().process(host) for host in lab.hosts] == before


def test_the_wire_between_two_is_cut_and_mended(inventory: Inventory, lab: Plan) -> None:
    one, two = lab.hosts
    assert hears(one, two)
    lifecycle.cut(inventory, ["one", "two"], between=True)
    assert not hears(one, two)
    assert not hears(two, one)
    lifecycle.heal(inventory, ["one"])
    assert hears(one, two)
    with pytest.raises(BadInput, match="between two hosts"):
        lifecycle.cut(inventory, ["one"], between=True)


def test_an_unplugged_host_is_alone_until_plugged_in(inventory: Inventory, lab: Plan) -> None:
    one, two = lab.hosts
    lifecycle.cut(inventory, ["two"])
    assert not hears(one, two)
    assert states(inventory) == ["running", "cut"]
    lifecycle.heal(inventory, ["two"])
    wait_until(lambda: hears(one, two), 5, "two heard again")


def test_a_power_cut_keeps_the_disk_and_nothing_else(inventory: Inventory, lab: Plan) -> None:
    two = lab.hosts[1]
    on(two, "echo kept > /root/kept; echo kept > /var/lib/etcd/kept; mkdir -p /sys/fs/cgroup/pids/kubepods || true")
    began = time.monotonic()
    lifecycle.kill(inventory, ["two"])
    assert time.monotonic() - began < 5
    assert states(inventory) == ["running", "stopped"]
    assert not cgroups.exists(two.cgroup)
    assert not network.exists(two)
    with pytest.raises(Refused, match="off"):
        lifecycle.cut(inventory, ["two"])
    lifecycle.start(inventory, ["two"])
    assert on(two, "cat /root/kept /var/lib/etcd/kept").split() == ["kept", "kept"]


def test_only_a_host_that_is_off_is_wiped(inventory: Inventory, lab: Plan) -> None:
    two = lab.hosts[1]
    with pytest.raises(Refused, match="running"):
        lifecycle.wipe(inventory, ["two"])
    lifecycle.kill(inventory, ["two"])
    lifecycle.wipe(inventory, ["two"], only="etcd")
    lifecycle.start(inventory, ["two"])
    assert on(two, "cat /root/kept; ls -A /var/lib/etcd") == "kept"


def test_a_reboot_from_within_is_a_reboot(lab: Plan) -> None:
    two = lab.hosts[1]
    before = Nspawn().process(two)
    subprocess.run(ssh_command(two, "systemctl reboot"), capture_output=True, check=False)
    wait_until(lambda: Nspawn().process(two) not in (None, before), 20, "two booting again")
    wait_until(lambda: hears(lab.hosts[0], two), 20, "two heard again")


def test_up_cleans_what_a_killed_lab_left(inventory: Inventory, lab: Plan) -> None:
    victims = [process for host in lab.hosts for process in cgroups.members(f"{host.cgroup}/power")]
    victims += [pid for host in lab.hosts if (pid := Nspawn().process(host)) is not None]
    for process in victims:
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: states(inventory) == ["stopped", "stopped"], 10, "both hosts off")
    assert traces(lab)
    lifecycle.up(inventory)
    assert states(inventory) == ["running", "running"]


def test_a_bridge_or_network_of_somebody_else_is_refused(small_lab: Callable[..., Inventory], lab: Plan) -> None:
    with pytest.raises(Refused, match="does not belong to this lab"):
        network.ensure_bridge(Plan("other", lab.network, lab.gateway, lab.bridge, ()))
    with pytest.raises(Refused, match="overlaps"):
        lifecycle.up(small_lab(bridge="haplanetest2"))


def test_down_leaves_nothing(inventory: Inventory, lab: Plan) -> None:
    lifecycle.down(inventory)
    assert traces(lab) == []
    assert not paths.lab_directory(lab.name).exists()
    assert states(inventory) == ["absent", "absent"]
    lifecycle.down(inventory)
