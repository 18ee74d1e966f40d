"""Cables unplugged and wires cut on purpose, and put right again.

A host is unplugged by taking its port on the bridge down: it loses its carrier, as with a real cable. The wire
between two hosts is cut by dropping, on the bridge, the frames from one's port to the other's: whatever address they
use, and whatever their own firewalls do, they no longer hear each other, while everybody else hears both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from haplane.errors import BadInput
from haplane.lab.command import run
from haplane.lab.network import LINKS, table
from haplane.lab.plan import LabHost, Plan

_IFF_UP = 0x1  # linux/if.h


def cut(hosts: Sequence[LabHost]) -> None:
    """Unplug each of these hosts."""
    for host in hosts:
        run("ip", "link", "set", host.port, "down")


def is_cut(host: LabHost) -> bool:
    """Whether a host that has a port is unplugged."""
    flags = LINKS / host.port / "flags"
    return flags.exists() and not int(flags.read_text(), 16) & _IFF_UP


def cut_between(plan: Plan, hosts: Sequence[LabHost]) -> None:
    """Cut the wire between exactly two hosts. Raises BadInput for another number."""
    one, other = _two(hosts)
    pairs = f'"{one.port}" . "{other.port}", "{other.port}" . "{one.port}"'
    run("nft", "add", "element", "bridge", table(plan.bridge), "severed", f"{{ {pairs} }}")


def heal(plan: Plan, hosts: Sequence[LabHost]) -> None:
    """Plug these hosts in again and mend every wire that ends at one of them."""
    for host in hosts:
        if is_cut(host):
            run("ip", "link", "set", host.port, "up")
    ports = {host.port for host in hosts}
    _mend(plan, [pair for pair in severed(plan) if ports & set(pair)])


def heal_between(plan: Plan, hosts: Sequence[LabHost]) -> None:
    """Mend the wire between exactly two hosts. Raises BadInput for another number."""
    ports = {host.port for host in _two(hosts)}
    _mend(plan, [pair for pair in severed(plan) if set(pair) == ports])


def severed(plan: Plan) -> Sequence[tuple[str, str]]:
    """The pairs of ports, from and to, between which frames are dropped."""
    return parse_severed(run("nft", "-json", "list", "table", "bridge", table(plan.bridge)))


def parse_severed(listing: str) -> Sequence[tuple[str, str]]:
    """The elements of the set ``severed`` in nft's JSON."""
    sets = [entry["set"] for entry in json.loads(listing)["nftables"] if "set" in entry]
    elements = [element for one in sets if one["name"] == "severed" for element in one.get("elem", ())]
    return [(element["concat"][0], element["concat"][1]) for element in elements]


def _mend(plan: Plan, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        elements = ", ".join(f'"{sender}" . "{receiver}"' for sender, receiver in pairs)
        run("nft", "delete", "element", "bridge", table(plan.bridge), "severed", f"{{ {elements} }}")


def _two(hosts: Sequence[LabHost]) -> tuple[LabHost, LabHost]:
    if len(hosts) != 2:
        raise BadInput(f"a wire is between two hosts, not {len(hosts)}", next_step="name exactly two hosts")
    return hosts[0], hosts[1]
