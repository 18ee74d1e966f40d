"""The lab's network: a bridge on this machine, a cable for each host, and no way out.

Hosts reach each other and the bridge's own address (the gateway, which is this machine), nothing else: what they send
to any other address is answered at once with a TCP reset or ICMP "prohibited" by nftables, before routing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from haplane.errors import Refused
from haplane.lab.command import run
from haplane.lab.disk import NO_NAME_SERVER
from haplane.lab.plan import LabHost, Plan

LINKS = Path("/sys/class/net")
NAMESPACES = Path("/run/netns")

NAT_HOST = IPv4Interface("10.0.2.15/24")  # what VirtualBox, and so Vagrant, gives to every machine
NAT_ROUTER = IPv4Interface("10.0.2.2/24")
NAT_PORT = "outside"
NAT_HARDWARE_ADDRESS = "52:54:00:00:02:0f"  # every machine has the same, each alone in its NAT


def table(bridge: str) -> str:
    """The name of the nftables tables that belong to a bridge."""
    return f"haplane_{bridge}"


def closed_rules(name: str, link: str, network: IPv4Network, hardware_address: str | None = None) -> str:
    """Nftables rules that reject whatever comes in by ``link`` for an address outside ``network``.

    On a bridge only what is sent to the bridge's own ``hardware_address`` is on its way out: with br_netfilter these
    rules also see what passes from host to host, pods' packets among it, and that is the lab's own traffic.
    """
    ours = f" ether daddr {hardware_address}" if hardware_address else ""
    outside = f'iifname "{link}"{ours} ip daddr != {network}'
    return f"""
table inet {name}
delete table inet {name}
table inet {name} {{
    chain outwards {{
        type filter hook prerouting priority raw
        {outside} meta l4proto tcp reject with tcp reset
        {outside} reject with icmpx admin-prohibited
    }}
    chain passing {{
        type filter hook forward priority filter
        iifname "{link}" oifname != "{link}" reject
        iifname != "{link}" oifname "{link}" reject
    }}
}}
"""


def link_rules(name: str) -> str:
    """Nftables rules that drop frames between pairs of ports; ``severed`` holds both directions of each pair."""
    return f"""
table bridge {name} {{
    set severed {{
        type ifname . ifname
    }}
    chain links {{
        type filter hook forward priority 0
        iifname . oifname @severed drop
    }}
}}
"""


def ensure_bridge(plan: Plan) -> None:
    """Make the bridge and its rules unless they are there. Raises Refused when the name or network is taken."""
    _refuse_taken(plan)
    if not (LINKS / plan.bridge).exists():
        prefix = plan.network.prefixlen
        _ip(
            f"link add {plan.bridge} address {plan.hardware_address} type bridge",
            f'link set {plan.bridge} alias "{plan.owner}" up',
            f"address add {plan.gateway}/{prefix} dev {plan.bridge}",
        )
    name = table(plan.bridge)
    # Destroying before making leaves one set of rules, and no link cut, whatever was there.
    fresh = f"table bridge {name}\ndelete table bridge {name}\n{link_rules(name)}"
    closed = closed_rules(name, plan.bridge, plan.network, plan.hardware_address)
    run("nft", "-f", "-", stdin=closed + fresh)


def _refuse_taken(plan: Plan) -> None:
    alias = LINKS / plan.bridge / "ifalias"
    if alias.exists() and alias.read_text().strip() != plan.owner:
        raise Refused(
            f"the link {plan.bridge} exists and does not belong to this lab",
            where="cluster.lab.bridge",
            why=f"its alias is {alias.read_text().strip()!r}, this lab's would be {plan.owner!r}",
            next_step="choose another bridge in the inventory, or remove the lab that uses it: `haplane lab down`",
        )
    for link, network in machine_networks(run("ip", "-json", "-4", "address", "show")):
        if link != plan.bridge and network.overlaps(plan.network):
            raise Refused(
                f"the lab's network {plan.network} overlaps {network}, which {link} of this machine has",
                where="cluster.lab.network",
                next_step="choose another network in the inventory",
            )


def machine_networks(addresses: str) -> Sequence[tuple[str, IPv4Network]]:
    """Link and network of each address in the output of ``ip -json -4 address show``."""
    return [
        (link["ifname"], IPv4Interface(f"{one['local']}/{one['prefixlen']}").network)
        for link in json.loads(addresses)
        for one in link.get("addr_info", ())
        if "local" in one
    ]


def plug_tap(plan: Plan, host: LabHost) -> None:
    """Make a virtual machine's cable: a tap device on the bridge, which QEMU takes."""
    _ip(
        f"tuntap add dev {host.port} mode tap",
        f'link set {host.port} alias "{plan.owner} {host.name}" master {plan.bridge} up',
    )


def plug(plan: Plan, host: LabHost) -> None:
    """Make a container's namespace and its cable to the bridge, and its closed NAT where it has one."""
    _ip(
        f"netns add {host.namespace}",
        f"link add {host.port} type veth peer name {host.interface} address {host.hardware_address} "
        f"netns {host.namespace}",
        f'link set {host.port} alias "{plan.owner} {host.name}" master {plan.bridge} up',
    )
    prefix = plan.network.prefixlen
    inside = [
        "link set lo up",
        f"address add {host.address}/{prefix} dev {host.interface}",
        f"link set {host.interface} up",
        f"route add unreachable {NO_NAME_SERVER}",
    ]
    if host.behind_nat:
        _ip(
            f"netns add {host.nat_namespace}",
            f"link add eth0 netns {host.namespace} type veth peer name {NAT_PORT} netns {host.nat_namespace}",
        )
        router = [f"address add {NAT_ROUTER} dev {NAT_PORT}", f"link set {NAT_PORT} up"]
        _ip(*router, namespace=host.nat_namespace)
        rules = closed_rules("nat", NAT_PORT, NAT_ROUTER.network)
        run("ip", "netns", "exec", host.nat_namespace, "nft", "-f", "-", stdin=rules)
        inside += [f"address add {NAT_HOST} dev eth0", "link set eth0 up", f"route add default via {NAT_ROUTER.ip}"]
    else:
        inside.append(f"route add default via {plan.gateway}")
    _ip(*inside, namespace=host.namespace)


def unplug(hosts: Sequence[LabHost]) -> None:
    """Take the cables away, so that nothing more leaves these hosts, not even a reset."""
    _ip(*(f"link delete {host.port}" for host in hosts if (LINKS / host.port).exists()))


def remove(host: LabHost) -> None:
    """Remove the host's cable and namespaces, those that are there."""
    unplug([host])
    names = (host.namespace, host.nat_namespace)
    _ip(*(f"netns delete {name}" for name in names if (NAMESPACES / name).exists()))


def exists(host: LabHost) -> bool:
    """Whether any part of the host's network is there."""
    return (LINKS / host.port).exists() or (NAMESPACES / host.namespace).exists()


def remove_bridge(plan: Plan) -> None:
    """Remove every bridge of this lab, also one whose name the inventory no longer has, with its rules."""
    for bridge in owned_bridges(plan):
        name = table(bridge)
        tables = "".join(f"table {family} {name}\ndelete table {family} {name}\n" for family in ("inet", "bridge"))
        run("nft", "-f", "-", stdin=tables)
        _ip(f"link delete {bridge}")


def owned_bridges(plan: Plan) -> Sequence[str]:
    """The bridges whose alias says that they are this lab's."""
    aliases = {link.name: (link / "ifalias").read_text().strip() for link in LINKS.iterdir() if link.is_dir()}
    return [name for name, alias in aliases.items() if alias == plan.owner]


def _ip(*lines: str, namespace: str | None = None) -> None:
    """Run lines of ip(8) in one process."""
    if lines:
        within = ("-netns", namespace) if namespace else ()
        run("ip", *within, "-batch", "-", stdin="".join(f"{line}\n" for line in lines))
