"""Which of haproxy's servers get connections."""

import contextlib
import socket
import threading

import pytest

from haplane.facts.on_host import haproxy

ROWS = """# pxname,svname,qcur,...
apiservers,m1,0,0,0,1,,1,2,3,,0,,0,0,0,0,{m1},{weight},1,0,
apiservers,m2,0,0,0,1,,1,2,3,,0,,0,0,0,0,UP 1/4,1,1,0,
"""


@pytest.mark.parametrize(
    ("status", "weight", "expected"),
    [
        ("UP", "1", "UP"),
        ("UP", "0", "DRAIN (weight 0)"),
        ("DRAIN", "1", "DRAIN"),
        ("DOWN", "0", "DOWN"),
    ],
)
def test_a_server_without_weight_is_drained(monkeypatch, tmp_path, status, weight, expected):
    """`set weight apiservers/m1 0`, an old way to drain: it was UP, got nothing, and all was healthy."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.bind(str(tmp_path / "admin.sock"))
        admin.listen()

        def answer():
            with contextlib.suppress(OSError), admin.accept()[0] as asked:
                asked.recv(100)
                asked.sendall(ROWS.format(m1=status, weight=weight).encode())

        threading.Thread(target=answer, daemon=True).start()
        monkeypatch.setattr(haproxy, "ADMIN_SOCKETS", (str(tmp_path / "admin.sock"),))
        assert haproxy.haproxy_servers() == [
            {"backend": "apiservers", "name": "m1", "status": expected},
            {"backend": "apiservers", "name": "m2", "status": "UP 1/4"},
        ]


def test_how_many_connections_the_endpoint_has_and_may_have(monkeypatch):
    row = ["endpoint", "FRONTEND", "", "", "9", "9", "10", *[""] * 20]
    monkeypatch.setattr(haproxy, "stat_rows", lambda kind: [["stats", "FRONTEND", *row[2:]], row])
    assert haproxy.endpoint_usage() == [9, 10]
    monkeypatch.setattr(haproxy, "stat_rows", lambda kind: None)
    assert haproxy.endpoint_usage() == []
