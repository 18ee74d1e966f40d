"""Packet filters that drop what pods send."""

import pytest

from haplane.facts.on_host import forwarding

PODS = "10.244.0.0/16"


def chain(policy, rules=(), hook="forward"):
    place = {"family": "ip", "table": "filter"}
    listed = {"nftables": [{"chain": place | {"name": "FORWARD", "hook": hook, "policy": policy}}]}
    return listed, {"nftables": [{"rule": place | {"chain": name, "expr": expr}} for name, expr in rules]}


def match(right, key="saddr"):
    return {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": key}}, "right": right}}


ACCEPT = {"accept": None}
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
    ],
)
def test_a_filter_that_drops_what_pods_send_is_found(monkeypatch, policy, rules, dropped):
    listed, table = chain(policy, rules)

    def run(*words, **_):
        if words[0] != "nft":
            return None
        return forwarding.json.dumps(listed if words[3] == "chains" else table)

    monkeypatch.setattr(forwarding, "run_if_installed", run)
    assert forwarding.dropped_forwarding(PODS) == (["ip filter FORWARD"] if dropped else [])


@pytest.mark.parametrize(
    ("lines", "dropped"),
    [
        ("-P FORWARD ACCEPT", False),
        ("-P FORWARD DROP", True),
        ("-P FORWARD DROP\n-A FORWARD -s 10.244.0.0/16 -j ACCEPT", False),
        ("-P FORWARD DROP\n-A INPUT -j ACCEPT", True),
        ("-P FORWARD DROP\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", True),
    ],
)
def test_the_old_iptables_is_asked_as_well(monkeypatch, lines, dropped):
    monkeypatch.setattr(forwarding, "run_if_installed", lambda *words, **_: lines if "legacy" in words[0] else None)
    monkeypatch.setattr(forwarding, "read", lambda path: "nat\nfilter\n")
    assert forwarding.dropped_forwarding(PODS) == (["legacy"] if dropped else [])
    monkeypatch.setattr(forwarding, "read", lambda path: None)
    assert forwarding.dropped_forwarding(PODS) == []
