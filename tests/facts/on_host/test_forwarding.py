"""Packet filters that drop what pods send."""

import os
import shlex
import shutil
import subprocess

import pytest

from haplane.facts.on_host import forwarding

PODS = "10.244.0.0/16"


def chain(policy, rules=(), hook="forward"):
    place = {"family": "ip", "table": "filter"}
    listed = {"nftables": [{"chain": place | {"name": "FORWARD", "hook": hook, "policy": policy}}]}
    return listed, {"nftables": [{"rule": place | {"chain": name, "expr": expr}} for name, expr in rules]}


def match(right, key="saddr"):
    return {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": key}}, "right": right}}


ACCEPT, DROP, REJECT = {"accept": None}, {"drop": None}, {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}
JUMP = {"jump": {"target": "LAST"}}
COUNTER = {"counter": {"packets": 0, "bytes": 0}}
ESTABLISHED = match(["established", "related"], "state")
SUBNET = match({"prefix": {"addr": "10.244.0.0", "len": 16}})


@pytest.mark.parametrize(
    ("policy", "rules", "dropped"),
    [
        ("accept", [], False),
        ("drop", [], True),
        ("drop", [("FORWARD", [ESTABLISHED, ACCEPT])], True),
        ("drop", [("FORWARD", [SUBNET, {"counter": {}}, ACCEPT])], False),
        ("drop", [("FORWARD", [match({"prefix": {"addr": "172.17.0.0", "len": 16}}), ACCEPT])], True),
        ("drop", [("FORWARD", [{"jump": {"target": "USER"}}]), ("USER", [match("cni0", "iifname"), ACCEPT])], False),
        ("drop", [("OTHER", [ACCEPT])], True),
        ("drop", [("FORWARD", [{"jump": {"target": "FORWARD"}}])], True),
        ("drop", [("FORWARD", [ACCEPT])], False),
        ("accept", [("FORWARD", [ESTABLISHED, ACCEPT]), ("FORWARD", [COUNTER, REJECT])], True),
        ("accept", [("FORWARD", [{"log": {"prefix": "x"}}, DROP])], True),
        ("accept", [("FORWARD", [{"xt": {"type": "target", "name": "REJECT"}}])], True),
        ("accept", [("FORWARD", [SUBNET, ACCEPT]), ("FORWARD", [DROP])], False),
        ("accept", [("FORWARD", [DROP]), ("FORWARD", [SUBNET, ACCEPT])], True),
        ("accept", [("FORWARD", [SUBNET, DROP])], False),
        ("accept", [("FORWARD", [{"xt": {"type": "match", "name": "physdev"}}, DROP])], False),
        ("accept", [("FORWARD", [{"goto": {"target": "LAST"}}]), ("LAST", [COUNTER, REJECT])], True),
        ("accept", [("FORWARD", [JUMP]), ("LAST", [{"return": None}]), ("LAST", [DROP])], False),
        ("accept", [("FORWARD", [JUMP]), ("LAST", [DROP])], True),
        ("accept", [("FORWARD", [ESTABLISHED, JUMP]), ("LAST", [DROP])], False),
        ("accept", [("FORWARD", [ACCEPT]), ("FORWARD", [DROP])], False),
        ("accept", [("OTHER", [DROP])], False),
    ],
)
def test_a_filter_that_drops_what_pods_send_is_found(monkeypatch, policy, rules, dropped):
    listed, table = chain(policy, rules)

    def run(*words, **_):
        if words[0] != "nft":
            return None
        found = {"chains": listed, "table": table}.get(words[3])
        own = [one for one in table["nftables"] if one["rule"]["chain"] == "FORWARD"]
        return forwarding.json.dumps(found or {"nftables": own})

    monkeypatch.setattr(forwarding, "run_if_installed", run)
    assert forwarding.dropped_forwarding(PODS, forwarding.listed_chains()) == (
        ["ip filter FORWARD"] if dropped else []
    )


@pytest.mark.parametrize(
    ("lines", "dropped"),
    [
        ("-P FORWARD ACCEPT", False),
        ("-P FORWARD DROP", True),
        ("-P FORWARD DROP\n-A FORWARD -s 10.244.0.0/16 -j ACCEPT", False),
        ("-P FORWARD DROP\n-A INPUT -j ACCEPT", True),
        ("-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited", True),
        ("-P FORWARD ACCEPT\n-A FORWARD -d 10.244.0.0/16 -j ACCEPT\n-A FORWARD -j DROP", False),
        ("-P FORWARD ACCEPT\n-A FORWARD -s 192.0.2.0/24 -j DROP", False),
        ("-P FORWARD DROP\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", True),
    ],
)
def test_the_old_iptables_is_asked_as_well(monkeypatch, lines, dropped):
    monkeypatch.setattr(forwarding, "run_if_installed", lambda *words, **_: lines if "legacy" in words[0] else None)
    monkeypatch.setattr(forwarding, "read", lambda path: "nat\nfilter\n")
    assert forwarding.dropped_forwarding(PODS, forwarding.listed_chains()) == (["legacy"] if dropped else [])
    monkeypatch.setattr(forwarding, "read", lambda path: None)
    assert forwarding.dropped_forwarding(PODS, forwarding.listed_chains()) == []


RULES = """
table inet mine {
 chain last {
  counter reject
 }
 chain forward {
  type filter hook forward priority 0; policy accept;
  ct state established accept
  %s
 }
}
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="makes a network of its own, as root")
@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ('log prefix "x" drop comment "why"', True),
        ("counter reject with icmpx type admin-prohibited", True),
        ("counter goto last", True),
        ("ip saddr 10.244.0.0/16 accept; drop", False),
        ("iifname eth9 drop", False),
    ],
)
def test_what_the_kernels_own_filter_has(monkeypatch, rule, dropped):
    """In nft's own words, from a network namespace that ends with it."""
    lines = RULES % rule.replace("; ", "\n  ")
    made = f"nft -f - <<'END'\n{lines}\nEND\n"

    def nft(*words):
        listed = shlex.join(words)
        alone = ["unshare", "-n", "sh", "-ec", made + listed]
        return subprocess.run(alone, capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(forwarding, "run_if_installed", nft)
    monkeypatch.setattr(forwarding, "read", lambda path: None)
    assert forwarding.dropped_forwarding(PODS, forwarding.listed_chains()) == (
        ["inet mine forward"] if dropped else []
    )


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="makes a network of its own, as root")
def test_which_tables_are_left(monkeypatch):
    made = "".join(
        f"nft add table {one}; nft add chain {one} x; " for one in ("ip kube-proxy", "ip6 flannel-ipv4", "ip mine")
    )

    def nft(*words):
        alone = ["unshare", "-n", "sh", "-ec", made + shlex.join(words)]
        return subprocess.run(alone, capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(forwarding, "run_if_installed", nft)
    assert forwarding.present_tables(forwarding.listed_chains()) == ["kube-proxy"]
    monkeypatch.setattr(forwarding, "run_if_installed", lambda *_: None)
    assert forwarding.present_tables(forwarding.listed_chains()) is None
