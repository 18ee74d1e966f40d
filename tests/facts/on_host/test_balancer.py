"""Whether haproxy takes connections, and what its file has."""

import socket
from collections import Counter

import pytest
from ports import free_port

from haplane.facts.on_host import balancer, other_sections


@pytest.mark.parametrize(
    ("configuration", "listens", "expected"),
    [
        ("frontend endpoint\n    bind *:6443\n", True, True),
        ("frontend endpoint\n    bind *:6443\n", False, False),
        ("frontend etcd\n    bind 127.0.0.1:2379\n", False, None),
        ("", False, None),
    ],
)
def test_only_one_that_has_an_endpoint_to_serve_is_to_take_connections(configuration, listens, expected):
    if not listens:
        assert balancer.accepts(configuration, free_port()) is expected
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert balancer.accepts(configuration, server.getsockname()[1]) is expected


def test_the_last_state_of_keepalived(monkeypatch):
    journal = (
        "(endpoint) Entering BACKUP STATE (init)\n(other) Entering MASTER STATE\n(endpoint) Entering FAULT STATE\nx\n"
    )
    monkeypatch.setattr(balancer, "run_if_installed", lambda *command: journal)
    assert balancer.vrrp_state("vrrp_instance endpoint {") == "FAULT"
    assert balancer.vrrp_state("vrrp_instance theirs {") == ""


def test_each_program_s_file_is_read_once(monkeypatch):
    """Whether it takes connections, which masters it has and what else it serves: three looks at one file."""
    times = Counter()

    def read(path):
        times[path] += 1
        return "backend apiservers\n    server m1 192.0.2.1:6443\nlisten web\n" if "haproxy.cfg" in path else None

    for module in (balancer, other_sections):
        monkeypatch.setattr(module, "read", read)
    monkeypatch.setattr(other_sections, "UNIT_FILES", ())
    monkeypatch.setattr(balancer, "addresses", dict)
    monkeypatch.setattr(balancer, "is_ready", lambda *_, **__: True)
    report = balancer.balancer("192.0.2.10", 6443, ping=False)
    assert report["balanced"] == ["192.0.2.1"]
    assert report["other_sections"][0]["sections"] == ["listen web"]
    assert set(times.values()) == {1}
