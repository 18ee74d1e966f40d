"""What keepalived runs to see whether haproxy does anything, and reaches a master."""

import socket
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread

import pytest

from haplane.render import render

PATH = "/run/haplane-haproxy/admin.sock"


@contextmanager
def listening(path, answer):
    """``answer`` None: as one that is stopped, for whom the kernel accepts."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        served = Thread(target=_serve, args=(server, answer)) if answer is not None else None
        if served:
            served.start()
        yield
        if served:
            served.join()


def _serve(server, answer):
    with server.accept()[0] as client:
        client.recv(100)
        client.sendall(answer)


def exit_status(tmp_path, **listener):
    path = tmp_path / "admin.sock"
    script = render("haproxy-works.j2").replace(PATH, str(path)).replace("settimeout(1.5)", "settimeout(0.3)")
    command = [sys.executable, "-I", "-c", script]
    if not listener:
        return subprocess.run(command, check=False).returncode
    with listening(path, **listener):
        return subprocess.run(command, check=False).returncode


def servers(*masters, others=()):
    """What haproxy says of them: status, the last check and its words. ``others`` are of the backend etcd."""
    lines = ["# pxname,svname,status,check_status,last_chk,"]
    for backend, seen in (("apiservers", masters), ("etcd", others)):
        lines += [f"{backend},m{number},{one}," for number, one in enumerate(seen)]
    return "\n".join([*lines, "", ""]).encode()


UP, REFUSED = "UP,L7OK,", "DOWN,L4CON,Connection refused"
LOST, NO_ROUTE = "DOWN,L4TOUT,", "DOWN,L4CON,No route to host"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (servers(UP, LOST, LOST), 0),
        (servers(LOST, NO_ROUTE, LOST), 1),
        (servers(REFUSED, LOST, LOST), 0),
        (servers("MAINT,L7OK,", LOST, LOST), 1),
        (servers("MAINT,L7OK,"), 0),
        (servers("UP 1/4,L4TOUT,", LOST), 0),
        (servers(others=(LOST, LOST)), 0),
    ],
)
def test_a_haproxy_that_reaches_a_master_may_hold_the_address(tmp_path, said, status):
    """Cut off from all masters it kept the address, though the other load balancer served. Ready they need not be."""
    assert exit_status(tmp_path, answer=said) == status


def test_one_that_is_stopped_or_not_there_or_says_nothing_may_not(tmp_path):
    """SIGSTOP of haproxy took the endpoint away for as long as it lasted: its load balancer kept the address."""
    for number, listener in enumerate(({"answer": None}, {}, {"answer": b""})):
        place = tmp_path / str(number)
        place.mkdir()
        assert exit_status(place, **listener) == 1, listener
