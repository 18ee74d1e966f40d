"""Whether this host's packet filter forwards what pods send and receive."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from typing import Any

from haplane.facts.on_host.probe import read, run_if_installed

POD_INTERFACES = ("cni0", "flannel", "veth", "cali", "cilium", "lxc", "tunl")
MOST_TABLES = 10
LEGACY_TABLES = "/proc/net/ip_tables_names"
"""What iptables-legacy has; to ask it where it has nothing would make the kernel load its modules."""


def dropped_forwarding(pod_network: str) -> list[str]:
    """The chains that drop forwarded packets and accept none of the pods': "FAMILY TABLE CHAIN", or "legacy"."""
    found = []
    listed = entries(run_if_installed("nft", "-j", "list", "chains"), "chain")
    dropping = [one for one in listed if one.get("hook") == "forward" and one.get("policy") == "drop"]
    for chain in dropping[:MOST_TABLES]:
        if chain.get("family") not in ("ip", "inet"):
            continue
        place = (str(chain["family"]), str(chain["table"]), str(chain["name"]))
        rules = entries(run_if_installed("nft", "-j", "list", "table", *place[:2]), "rule")
        if not accepts_pods(rules, place[2], pod_network, set()):
            found.append(" ".join(place))
    if "filter" in (read(LEGACY_TABLES) or "").split():
        legacy = (run_if_installed("iptables-legacy", "-w", "1", "-S") or "").splitlines()
        if "-P FORWARD DROP" in legacy and not legacy_accepts(legacy, pod_network):
            found.append("legacy")
    return [place[:200] for place in found]


def entries(text: str | None, kind: str) -> list[dict[str, Any]]:
    """The objects of one kind in what nft prints as JSON; none where there is no nft or nothing to list."""
    with contextlib.suppress(ValueError, AttributeError):
        return [one[kind] for one in json.loads(text or "{}").get("nftables", []) if kind in one]
    return []


def accepts_pods(rules: list[dict[str, Any]], chain: str, pod_network: str, seen: set[str]) -> bool:
    """Whether a rule of the chain, or of one that it jumps to, accepts packets from or to pods."""
    seen.add(chain)
    for rule in rules:
        if rule.get("chain") != chain:
            continue
        expressions = rule.get("expr", [])
        for expression in expressions:
            if "accept" in expression and is_for_pods(expressions, pod_network):
                return True
            jump = expression.get("jump") or expression.get("goto")
            if jump and jump["target"] not in seen and accepts_pods(rules, jump["target"], pod_network, seen):
                return True
    return False


def is_for_pods(expressions: list[dict[str, Any]], pod_network: str) -> bool:
    """Whether a rule has no condition, or one that a packet of pods meets."""
    matches = [one["match"] for one in expressions if "match" in one]
    if not matches:
        return not any("xt" in one for one in expressions)
    words = json.dumps([match.get("right") for match in matches])
    return any(name in words for name in POD_INTERFACES) or any(
        overlaps(part, pod_network) for match in matches for part in networks(match.get("right"))
    )


def networks(value: object) -> list[str]:
    """The addresses and prefixes in the right side of a match."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        if "prefix" in value:
            return [f"{value['prefix'].get('addr')}/{value['prefix'].get('len')}"]
        return [part for inner in value.values() for part in networks(inner)]
    return [part for inner in value for part in networks(inner)] if isinstance(value, list) else []


def overlaps(text: str, pod_network: str) -> bool:
    """Whether an address or prefix has addresses of the pods' network."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_network(text, strict=False).overlaps(ipaddress.ip_network(pod_network))
    return False


def legacy_accepts(lines: list[str], pod_network: str) -> bool:
    """The same of the rules that iptables-legacy lists; which chains FORWARD jumps to is not followed."""
    for line in lines:
        words = line.split()
        if words[:1] != ["-A"] or words[-2:] != ["-j", "ACCEPT"] or words[1] in ("INPUT", "OUTPUT"):
            continue
        conditions = words[2:-2]
        if not conditions or any(
            word.startswith(POD_INTERFACES) or overlaps(word, pod_network) for word in conditions
        ):
            return True
    return False
