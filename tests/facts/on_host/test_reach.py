"""The program that connects hosts, run as two hosts on this machine's loopback, which has all of 127.0.0.0/8."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ports import free_port

import haplane.facts

SCRIPT = (Path(haplane.facts.__file__).parent / "on_host" / "reach.py").read_text()
ONE, OTHER = "127.77.0.1", "127.77.0.2"


def host(address, request):
    """What the program reports on the host that has this address."""
    script = SCRIPT.replace('address = own_address(list(request["listen"]))', f"address = {address!r}")
    done = subprocess.run([sys.executable, "-I", "-c", script, json.dumps(request)], capture_output=True, check=True)
    return json.loads(done.stdout)


def hosts(request, *addresses):
    found = {}
    threads = [threading.Thread(target=lambda a=a: found.update({a: host(a, request)})) for a in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


@pytest.fixture
def port():
    return free_port()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_hosts_that_reach_each_other(port, protocol):
    ports = [[protocol, port]]
    request = {
        "listen": {ONE: ports, OTHER: ports},
        "connect": {ONE: [[protocol, OTHER, port]], OTHER: [[protocol, ONE, port]]},
        "seconds": 30,
    }
    for answer in hosts(request, ONE, OTHER).values():
        assert answer["failed"] == []
        assert answer["listened"] == ports


VRRP = [["vrrp", 112]]


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are root's")
def test_load_balancers_reach_each_other_by_vrrp_and_adverts_of_others_are_no_answer():
    request = {"listen": {ONE: [], OTHER: VRRP}, "connect": {ONE: [["vrrp", OTHER, 112]]}, "seconds": 30}
    ended = threading.Event()

    def advertise():
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) as keepalived:
            keepalived.bind((OTHER, 0))
            while not ended.wait(0.05):
                keepalived.sendto(bytes((0x31, 51, 100, 1, 0, 30, 0, 0)), ("127.0.0.1", 0))

    advertising = threading.Thread(target=advertise)
    advertising.start()
    try:
        assert host(ONE, request | {"seconds": 2})["failed"] == [["vrrp", OTHER, 112, "no answer"]]
        found = hosts(request, ONE, OTHER)
    finally:
        ended.set()
        advertising.join()
    assert found[ONE]["failed"] == []
    assert found[OTHER]["listened"] == VRRP


def test_nobody_who_listens_is_a_refusal(port):
    request = {"listen": {ONE: []}, "connect": {ONE: [["tcp", OTHER, port]]}, "seconds": 1}
    assert host(ONE, request)["failed"] == [["tcp", OTHER, port, "refused"]]


def test_a_program_that_has_the_port_answers_for_itself(port):
    with socket.create_server((OTHER, port)):
        request = {
            "listen": {ONE: [], OTHER: [["tcp", port]]},
            "connect": {ONE: [["tcp", OTHER, port]]},
            "seconds": 20,
        }
        assert host(ONE, request)["failed"] == []
        assert host(OTHER, request)["listened"] == []
