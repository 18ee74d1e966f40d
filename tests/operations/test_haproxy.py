"""Who still asks a drained server, by real sockets: a program that is called haproxy keeps a connection to it."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from fake_hosts import commands

from haplane.operations import haproxy

CLIENT = """
import socket, sys, time
name, port, seconds = sys.argv[1:]
with open("/proc/self/comm", "w") as comm:
    comm.write(name)
connection = socket.create_connection(("127.0.0.1", int(port)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
began = time.monotonic()
while True:
    connection.send(b"asked")
    time.sleep(0.04 if time.monotonic() - began < float(seconds) else 1)
"""


@contextmanager
def asked_often(*, by, seconds):
    """A server's port, which is asked 25 times a second for so long, then once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = subprocess.Popen([sys.executable, "-c", CLIENT, by, str(port), str(seconds)])
        try:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(5) == b"asked"
                yield port
        finally:
            client.kill()
            client.wait()


def waited(port, seconds=60):
    """Seconds until nobody asks any more."""
    [command] = commands(haproxy.await_parting, address="127.0.0.1", port=port, seconds=seconds)
    began = time.monotonic()
    subprocess.run(["sh", "-c", command], check=True, timeout=100)
    return time.monotonic() - began


def test_it_is_waited_until_who_asked_often_asks_seldom():
    with asked_often(by="haproxy", seconds=4) as port:
        assert waited(port) >= 4


def test_who_never_stops_is_waited_for_no_longer_than_that():
    with asked_often(by="haproxy", seconds=1000) as port:
        assert 5 <= waited(port, seconds=5) < 30


@pytest.mark.parametrize(("by", "seconds"), [("haproxy", 0), ("kubelet", 1000)])
def test_nobody_else_is_waited_for(by, seconds):
    with asked_often(by=by, seconds=seconds) as port:
        assert waited(port) < 30
