"""What a lab consists of: every name and address, computed from the inventory. Pure.

Names of namespaces, links and cgroups are functions of the lab's name and the host's name alone, so that leftovers of
a killed lab are found without any record of it, and nothing that is not ours is ever touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from haplane.config.model import Inventory
from haplane.errors import BadInput

MACHINE_CHARACTERS = 64


@dataclass(frozen=True)
class LabHost:
    """One machine of the lab. ``behind_nat``: its first interface is a closed NAT with the default route."""

    lab: str
    name: str
    address: IPv4Address
    behind_nat: bool = False
    bare: bool = False

    @property
    def namespace(self) -> str:
        """Its network namespace, as ``ip netns`` names it."""
        return f"{self.lab}.{self.name}"

    @property
    def nat_namespace(self) -> str:
        """The namespace that plays the NAT router, where it is behind one."""
        return f"{self.namespace}.nat"

    @property
    def port(self) -> str:
        """The link on the bridge that its cable is plugged into; at most 15 characters, whatever the names."""
        return "hl" + hashlib.sha256(self.namespace.encode()).hexdigest()[:12]

    @property
    def interface(self) -> str:
        """The name, inside a container, of its interface in the lab's network."""
        return "eth1" if self.behind_nat else "eth0"

    @property
    def hardware_address(self) -> str:
        """A MAC that survives the host's death, as a real machine's does."""
        return hardware_address(self.address)

    @property
    def cgroup(self) -> str:
        """Its cgroup below the root of every hierarchy."""
        return f"haplane/{self.lab}/{self.name}"

    @property
    def machine(self) -> str:
        """The name systemd-nspawn knows it by: 64 characters at most, and another one for every host."""
        whole = f"{self.lab}-{self.name}"
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        return (
            whole if len(whole) <= MACHINE_CHARACTERS else f"{whole[: MACHINE_CHARACTERS - 9].rstrip('-.')}-{digest}"
        )


@dataclass(frozen=True)
class Hardware:
    """What each virtual machine has, and its version of Debian."""

    debian: int = 12
    processors: int = 2
    memory_mib: int = 2048


@dataclass(frozen=True)
class Plan:
    """A whole lab. ``machines`` is a key of ``kinds.KINDS``."""

    name: str
    network: IPv4Network
    gateway: IPv4Address
    bridge: str
    hosts: tuple[LabHost, ...]
    machines: str = "nspawn"
    hardware: Hardware = Hardware()

    @property
    def owner(self) -> str:
        """The alias on links that belong to this lab."""
        return f"haplane lab {self.name}"

    @property
    def hardware_address(self) -> str:
        """The bridge's MAC, set so that it does not follow its ports."""
        return hardware_address(self.gateway)

    def select(self, names: Sequence[str]) -> tuple[LabHost, ...]:
        """The hosts of these names, in the lab's order; all of them for none. Raises BadInput for an unknown name."""
        known = [host.name for host in self.hosts]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise BadInput(
                f"no lab host is named {', '.join(unknown)}", next_step=f"the hosts are {', '.join(known)}"
            )
        return tuple(host for host in self.hosts if not names or host.name in names)


def hardware_address(address: IPv4Address) -> str:
    """A locally administered MAC for an address of the lab."""
    return ":".join(f"{octet:02x}" for octet in (2, 0, *address.packed))


def plan(inventory: Inventory) -> Plan:
    """The lab an inventory describes; its addresses were checked on loading. Raises BadInput when it has none."""
    lab = inventory.cluster.lab
    if lab is None:
        raise BadInput(
            "this inventory has no lab",
            where=f'{inventory.path}: cluster["lab"]',
            why="haplane does not create its hosts",
            next_step="use inventories/lab.py",
        )
    addresses = {host.name: host.address for host in inventory.everyone} | dict(lab.extra_hosts)
    hosts = tuple(
        LabHost(
            lab=inventory.cluster.name,
            name=name,
            address=address,
            behind_nat=name in lab.nat_interface_hosts,
            bare=name in lab.bare_hosts,
        )
        for name, address in addresses.items()
    )
    hardware = Hardware(lab.debian, lab.processors, lab.memory_mib)
    return Plan(inventory.cluster.name, lab.network, lab.gateway, lab.bridge, hosts, lab.machines, hardware)
