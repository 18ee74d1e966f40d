"""Whether this host's packet filter forwards what pods send and receive."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from typing import Any

from haplane.facts.on_host.probe import read, run_if_installed

POD_INTERFACES = ("cni0", "flannel", "veth", "cali", "cilium", "lxc", "tunl")
MOST_TABLES = 10
OUR_TABLES = ("kube-proxy", "flannel-ipv4")
"""Of kube-proxy in the mode nftables, and of flannel: made when they start, and not looked at again."""
VERDICTS = {"drop": "drop", "reject": "drop", "accept": "accept", "return": "return", "jump": "jump", "goto": "goto"}
VERDICTS_OF_XT = ("DROP", "REJECT")
"""Targets of iptables that nft shows as extensions."""
HARMLESS = ("counter", "log", "comment")
LEGACY_TABLES = "/proc/net/ip_tables_names"
"""What iptables-legacy has; to ask it where it has nothing would make the kernel load its modules."""


def listed_chains() -> list[dict[str, Any]] | None:
    """Every chain of nftables; None where that is not known."""
    listed = run_if_installed("nft", "-j", "list", "chains")
    return None if listed is None else entries(listed, "chain")


def dropped_forwarding(pod_network: str, chains: list[dict[str, Any]] | None) -> list[str]:
    """The chains that drop forwarded packets and accept none of the pods': "FAMILY TABLE CHAIN", or "legacy".

    By their policy, or by a last rule without a condition.
    """
    found = []
    forward = [one for one in chains or () if one.get("hook") == "forward" and one.get("family") in ("ip", "inet")]
    for chain in forward[:MOST_TABLES]:
        place = (str(chain["family"]), str(chain["table"]), str(chain["name"]))
        rules = rules_of(place, by_policy=chain.get("policy") == "drop")
        if rules is not None and not accepts_pods(reached(rules, place[2]), place[2], pod_network, set()):
            found.append(" ".join(place))
    if "filter" in (read(LEGACY_TABLES) or "").split():
        legacy = (run_if_installed("iptables-legacy", "-w", "1", "-S") or "").splitlines()
        if legacy_drops(legacy) and not legacy_accepts(legacy, pod_network):
            found.append("legacy")
    return [place[:200] for place in found]


def present_tables(chains: list[dict[str, Any]] | None) -> list[str] | None:
    """Which of OUR_TABLES have chains in the kernel; None where that is not known."""
    if chains is None:
        return None
    names = {one.get("table") for one in chains if one.get("family") == "ip"}
    return [name for name in OUR_TABLES if name in names]


def rules_of(place: tuple[str, str, str], *, by_policy: bool) -> list[dict[str, Any]] | None:
    """The rules of a table with a chain that drops what none of them accepts; None where it does not.

    Of most chains only their own rules are listed: the whole table may be long.
    """
    family, table, chain = place
    listed = "nft", "-j", "list"
    if not by_policy and not ends_somewhere(entries(run_if_installed(*listed, "chain", *place), "rule")):
        return None
    rules = entries(run_if_installed(*listed, "table", family, table), "rule")
    return rules if by_policy or drops_the_rest(rules, chain, set()) else None


def verdict_of(rule: dict[str, Any]) -> tuple[str, str]:
    """What a rule without a condition does with every packet, and where it jumps; "" for one that has a condition."""
    found = ("", "")
    for expression in rule.get("expr", []):
        for kind, value in expression.items():
            extension = value.get("name") if kind == "xt" and isinstance(value, dict) else None
            if kind in VERDICTS or extension in VERDICTS_OF_XT:
                found = VERDICTS.get(kind) or "drop", str((value or {}).get("target", ""))
            elif kind not in HARMLESS and extension != "comment":
                return "", ""
    return found


def ends_somewhere(rules: list[dict[str, Any]]) -> bool:
    """Whether a rule without a condition drops every packet, or sends it to another chain, which may."""
    return any(verdict_of(rule)[0] in ("drop", "jump", "goto") for rule in rules)


def drops_the_rest(rules: list[dict[str, Any]], chain: str, seen: set[str]) -> bool:
    """Whether the chain, or one that every packet is sent to, drops what no condition of its rules meets."""
    seen.add(chain)
    for rule in rules:
        verdict, target = verdict_of(rule) if rule.get("chain") == chain else ("", "")
        if verdict == "drop" or (target and target not in seen and drops_the_rest(rules, target, seen)):
            return True
        if verdict in ("accept", "return", "goto"):
            return False
    return False


def reached(rules: list[dict[str, Any]], chain: str) -> list[dict[str, Any]]:
    """All rules but those of the chain that come after one that drops every packet."""
    found, ended = [], False
    for rule in rules:
        own = rule.get("chain") == chain
        if not (own and ended):
            found.append(rule)
        ended = ended or (own and verdict_of(rule)[0] == "drop")
    return found


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


def legacy_drops(lines: list[str]) -> bool:
    """Whether FORWARD's policy drops, or a rule of it without a condition."""
    rules = [line.split() for line in lines]
    return "-P FORWARD DROP" in lines or any(
        words[:3] == ["-A", "FORWARD", "-j"] and words[3:4] in (["DROP"], ["REJECT"]) for words in rules
    )


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
