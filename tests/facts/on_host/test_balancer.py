"""Whether haproxy takes connections."""

import socket

import pytest
from ports import free_port

from haplane.facts.on_host import balancer


@pytest.mark.parametrize(
    ("configuration", "listens", "expected"),
    [
        ("frontend endpoint\n    bind *:6443\n", True, True),
        ("frontend endpoint\n    bind *:6443\n", False, False),
        ("frontend etcd\n    bind 127.0.0.1:2379\n", False, None),
        (None, False, None),
    ],
)
def test_only_one_that_has_an_endpoint_to_serve_is_to_take_connections(
    monkeypatch, tmp_path, configuration, listens, expected
):
    monkeypatch.setattr(balancer, "HAPROXY_CFG", str(tmp_path / "haproxy.cfg"))
    if configuration is not None:
        (tmp_path / "haproxy.cfg").write_text(configuration)
    if not listens:
        assert balancer.accepts(free_port()) is expected
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert balancer.accepts(server.getsockname()[1]) is expected


def test_the_last_state_of_keepalived(monkeypatch):
    journal = (
        "(endpoint) Entering BACKUP STATE (init)\n(other) Entering MASTER STATE\n(endpoint) Entering FAULT STATE\nx\n"
    )
    monkeypatch.setattr(balancer, "run_if_installed", lambda *command: journal)
    monkeypatch.setattr(balancer, "read", lambda path: "vrrp_instance endpoint {")
    assert balancer.vrrp_state() == "FAULT"
    monkeypatch.setattr(balancer, "read", lambda path: "vrrp_instance theirs {")
    assert balancer.vrrp_state() == ""
