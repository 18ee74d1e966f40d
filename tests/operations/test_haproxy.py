"""Who still asks a drained server, by real sockets: a process of haproxy's unit keeps a connection to it."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from fake_hosts import commands

from haplane.domain import host_paths
from haplane.operations import haproxy

UNIT = "/system.slice/haproxy.service"
MINE = "/user.slice/user-1000.slice/user@1000.service/system.slice/haproxy.service"
CLIENT = """
import socket, sys, time
port, seconds = sys.argv[1:]
with open("/proc/self/comm", "w") as comm:
    comm.write("haproxy")
connection = socket.create_connection(("127.0.0.1", int(port)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
began = time.monotonic()
while True:
    connection.send(b"asked")
    time.sleep(0.04 if time.monotonic() - began < float(seconds) else 1)
"""


@contextmanager
def asked_often(proc, *, by=UNIT, seconds):
    """A server's port, which is asked 25 times a second for so long, then once, by a program called haproxy.

    ``proc`` stands for /proc and has the program in the control group ``by``.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = subprocess.Popen([sys.executable, "-c", CLIENT, str(port), str(seconds)])
        (proc / str(client.pid)).mkdir()
        (proc / str(client.pid) / "cgroup").write_text(f"4:memory:/\n1:name=systemd:{by}\n")
        try:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(5) == b"asked"
                yield port
        finally:
            client.kill()
            client.wait()


def waited(proc, port, seconds=60):
    """Seconds until nobody asks any more."""
    [command] = commands(haproxy.wait_for_connection_drain, address="127.0.0.1", port=port, seconds=seconds)
    command = command.replace('PROC = "/proc"', f'PROC = "{proc}"')
    assert str(proc) in command
    began = time.monotonic()
    subprocess.run(["sh", "-c", command], check=True, timeout=100)
    return time.monotonic() - began


def test_it_is_waited_until_who_asked_often_asks_seldom(tmp_path):
    with asked_often(tmp_path, seconds=4) as port:
        assert waited(tmp_path, port) >= 4


def test_who_never_stops_is_waited_for_no_longer_than_that(tmp_path):
    with asked_often(tmp_path, seconds=1000) as port:
        assert 5 <= waited(tmp_path, port, seconds=5) < 30


@pytest.mark.parametrize(
    ("by", "seconds"),
    [
        (UNIT, 0),
        ("/user.slice/user-1000.slice", 1000),
        ("/kubepods/pod1/haproxy.service-of-a-pod", 1000),
        (MINE, 1000),
    ],
)
def test_nobody_else_is_waited_for(tmp_path, by, seconds):
    with asked_often(tmp_path, by=by, seconds=seconds) as port:
        assert waited(tmp_path, port) < 30


@pytest.mark.parametrize("refusal", ["", "No such server."])
def test_haproxy_is_given_each_command_until_one_is_refused(tmp_path, refusal):
    [command] = commands(haproxy.drain, server="masters/m1")
    path = tmp_path / "admin.sock"
    command = command.replace(host_paths.HAPROXY_ADMIN_SOCKET, str(path))
    heard = []
    with socket.socket(socket.AF_UNIX) as admin:
        admin.bind(str(path))
        admin.listen()
        asking = subprocess.Popen(["sh", "-c", command], stderr=subprocess.PIPE, text=True)
        for _ in range(1 if refusal else 2):
            connection, _ = admin.accept()
            with connection:
                heard.append(connection.recv(100))
                connection.sendall(f"{refusal}\n".encode())
        assert asking.communicate(timeout=20)[1] == (
            f"haproxy: disable health masters/m1: {refusal}\n" if refusal else ""
        )
    sent = [b"disable health masters/m1\n", b"set server masters/m1 state drain\n"]
    assert heard == sent[: len(heard)]
