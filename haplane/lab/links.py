"""Cables unplugged and links cut on purpose, and restored.

A host is unplugged by taking its port on the bridge down: it loses its carrier, as with a real cable. The link
between two hosts is cut by dropping, on the bridge, the frames from one's port to the other's: whatever address they
use, and whatever their own firewalls do, they no longer reach each other, while all others reach both.
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
    """Cut the link between exactly two hosts. Raises BadInput for another number."""
    one, other = _two(hosts)
    pairs = f'"{one.port}" . "{other.port}", "{other.port}" . "{one.port}"'
    run("nft", "add", "element", "bridge", table(plan.bridge), "severed", f"{{ {pairs} }}")


def heal(plan: Plan, hosts: Sequence[LabHost]) -> None:
    """Plug these hosts in again and restore every link of theirs."""
    for host in hosts:
        if is_cut(host):
            run("ip", "link", "set", host.port, "up")
    ports = {host.port for host in hosts}
    _restore(plan, [pair for pair in severed(plan) if ports & set(pair)])


def heal_between(plan: Plan, hosts: Sequence[LabHost]) -> None:
    """Restore the link between exactly two hosts. Raises BadInput for another number."""
    ports = {host.port for host in _two(hosts)}
    _restore(plan, [pair for pair in severed(plan) if set(pair) == ports])


def severed(plan: Plan) -> Sequence[tuple[str, str]]:
    """The pairs of ports, from and to, between which frames are dropped."""
    return parse_severed(run("nft", "-json", "list", "table", "bridge", table(plan.bridge)))


def parse_severed(listing: str) -> Sequence[tuple[str, str]]:
    """The elements of the set ``severed`` in nft's JSON."""
    sets = [entry["set"] for entry in json.loads(listing)["nftables"] if "set" in entry]
    elements = [element for one in sets if one["name"] == "severed" for element in one.get("elem", ())]
    return [(element["concat"][0], element["concat"][1]) for element in elements]


def _restore(plan: Plan, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        elements = ", ".join(f'"{sender}" . "{receiver}"' for sender, receiver in pairs)
        run("nft", "delete", "element", "bridge", table(plan.bridge), "severed", f"{{ {elements} }}")


def _two(hosts: Sequence[LabHost]) -> tuple[LabHost, LabHost]:
    if len(hosts) != 2:
        raise BadInput(f"a link is between two hosts, not {len(hosts)}", next_step="name exactly two hosts")
    return hosts[0], hosts[1]
