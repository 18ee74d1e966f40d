"""Corefiles that CoreDNS does not take, by its own words (1.14)."""

from datetime import UTC, datetime, timedelta

import pytest

from haplane.facts.on_host import corefile
from haplane.facts.on_host.corefile import corefile_error, silent_forwards

PARSING = "/etc/coredns/Corefile:2 - Error during parsing: Unknown directive 'erors'"
FORWARD = 'plugin/forward: not an IP address or file: "not-an-ip"'
FAILED = f"""[INFO] Reloading
[ERROR] Restart failed: {PARSING}
[ERROR] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: {PARSING}
"""
TAKEN = """[INFO] Reloading
[INFO] plugin/reload: Running configuration SHA512 = e4d29c
[INFO] Reloading complete
"""


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(**container):
    return {"metadata": {"name": "coredns-1"}, "status": {"containerStatuses": [{"name": "coredns", **container}]}}


ENDED = {"reason": "Error", "exitCode": 1}
RUNS = pod(ready=True, state={"running": {"startedAt": ago(3600)}})
CRASHES = pod(restartCount=4, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": ENDED})


@pytest.mark.parametrize(
    ("log", "why"),
    [(FAILED, PARSING), (FAILED + TAKEN, ""), (TAKEN + FAILED, PARSING), (TAKEN, ""), ("", "")],
)
def test_coredns_runs_on_with_an_older_one(log, why):
    asked = []
    found = corefile_error([RUNS], ago(60), lambda *question: asked.append(question) or log)
    assert found == why
    assert [(name, query.partition("=")[0]) for name, query in asked] == [("coredns-1", "sinceTime")]


def test_nothing_is_asked_of_pods_that_started_since():
    assert corefile_error([RUNS], ago(7200), lambda *_: pytest.fail("asked")) == ""


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (f"maxprocs: Leaving GOMAXPROCS=2: CPU quota undefined\n{PARSING}\n", PARSING),
        (FORWARD, FORWARD),
        ("[ERROR] plugin/errors: 2 example.org. A: read udp 10.244.0.2:53: i/o timeout", ""),
        (
            "[FATAL] plugin/loop: Loop (127.0.0.1:55953 -> :53) detected",
            "[FATAL] plugin/loop: Loop (127.0.0.1:55953 -> :53) detected",
        ),
        ("Listen: listen tcp :53: bind: address already in use", ""),
    ],
)
def test_coredns_does_not_start_with_it(log, why):
    assert corefile_error([CRASHES], ago(60), lambda *_: log) == why


@pytest.mark.parametrize(
    ("forwards", "silent"),
    [
        ("forward . /etc/resolv.conf {\n        max_concurrent 1000\n    }", []),
        ("forward . 192.0.2.1", ["192.0.2.1"]),
        ("forward . 192.0.2.1 dns://192.0.2.2:53 { # both", ["192.0.2.1", "192.0.2.2"]),
        ("forward . 192.0.2.1 192.0.2.9", []),  # one of them answers
        ("forward . 192.0.2.1:5353", []),
        ("forward . tls://192.0.2.1", []),
        ("#forward . 192.0.2.1", []),
        ("forward . /etc/resolv.conf\n}\nexample.org:53 {\n    forward example.org 192.0.2.3\n", ["192.0.2.3"]),
    ],
)
def test_name_servers_that_it_leads_to_and_that_are_gone(monkeypatch, forwards, silent):
    """CoreDNS is Ready and resolves the cluster's own names."""
    monkeypatch.setattr(corefile, "silent_servers", lambda servers: [one for one in servers if one != "192.0.2.9"])
    assert silent_forwards(f".:53 {{\n    errors\n    {forwards}\n}}\n") == silent
