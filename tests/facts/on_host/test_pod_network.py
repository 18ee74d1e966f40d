"""Cluster DNS as a node, and a pod on it, reach it: a server that is late once is asked again."""

import json
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from haplane.facts.on_host import dns, pod_network

NAME = "kubernetes.default.svc.cluster.local"
ADDRESS = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes([10, 96, 0, 1])


def bound_alike():
    """A UDP and a TCP socket at one port that is free for both."""
    while True:
        listening, connections = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        listening.bind(("127.0.0.1", 0))
        try:
            connections.bind(listening.getsockname())
        except OSError:
            listening.close()
            connections.close()
        else:
            return listening, connections


@contextmanager
def server(monkeypatch, *answers):
    """Answers one question after the other, by UDP: with an address, an error's number, or not at all (None).

    Only what is never answered is waited for briefly.
    """
    monkeypatch.setattr(pod_network, "FIRST_SECONDS", 0.2 if answers[0] is None else 20)
    monkeypatch.setattr(pod_network, "LONGER_SECONDS", 0.4 if answers[-1] is None else 20)
    listening, connections = bound_alike()
    with listening, connections:
        monkeypatch.setattr(pod_network, "DNS_PORT", listening.getsockname()[1])
        monkeypatch.setattr(dns, "DNS_PORT", listening.getsockname()[1])

        def answer():
            for one in answers:
                question, client = listening.recvfrom(512)
                head = question[:2] + struct.pack("!5H", 0x8400 | (one or 0), 1, one == 0, 0, 0)
                if one is not None:
                    listening.sendto(head + question[12:] + (ADDRESS if one == 0 else b""), client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield connections
        thread.join(10)


@pytest.mark.parametrize(
    ("answers", "found"),
    [((0,), (True, "")), ((None, 0), (True, "")), ((3, 0), (True, "")), ((3, 3), (True, "DNS error 3"))],
)
def test_only_what_fails_twice_is_wrong(answers, found, monkeypatch):
    with server(monkeypatch, *answers):
        assert pod_network.dns_answer("127.0.0.1", NAME) == found


@pytest.mark.parametrize("listens", [True, False])
def test_one_that_is_silent_is_reached_where_it_takes_connections(listens, monkeypatch):
    """CoreDNS that forwards the question to a server that is gone is silent as well as one behind a firewall."""
    with server(monkeypatch, None, None) as connections:
        if listens:
            connections.listen()
        assert pod_network.dns_answer("127.0.0.1", NAME) == (listens, "no answer")


def test_nobody_there_is_not_reached(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(pod_network, "DNS_PORT", port)
    monkeypatch.setattr(dns, "DNS_PORT", port)
    assert pod_network.dns_answer("127.0.0.1", NAME) == (False, "Connection refused")


def test_corednss_addresses_are_in_the_names_of_kube_proxys_chains():
    names = (
        "endpoint-5OJB2KTY-kube-system/kube-dns/udp/dns__10.244.1.2/53",
        "endpoint-AAAAAAAA-kube-system/kube-dns/tcp/dns-tcp__10.244.9.9/53",
        "endpoint-BBBBBBBB-shop/kube-dns/udp/dns__10.244.9.9/53",
        "service-NWBZK7IH-kube-system/kube-dns/udp/dns",
    )
    chains = [{"family": "ip", "table": "kube-proxy", "name": name} for name in names]
    other = {"family": "ip", "table": "mine", "name": names[0].replace("1.2", "1.3")}
    assert pod_network.coredns_addresses([*chains, other]) == ["10.244.1.2"]


@pytest.fixture
def in_a_network_of_its_own():
    """A process in a network where nothing but a loopback that is down is."""
    command = ["unshare", "--net", sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != b"\n":
            pytest.skip("no rights to make a network namespace")
        yield process.pid
        process.kill()


def test_a_pod_asks_from_its_own_network_and_the_host_from_its_own(in_a_network_of_its_own, monkeypatch):
    ours = Path("/proc/self/ns/net").stat().st_ino
    with server(monkeypatch, 0):
        (lost,) = pod_network.dns_answers(in_a_network_of_its_own, ["127.0.0.1"], NAME).values()
        assert lost == (False, "Network is unreachable")
        assert pod_network.dns_answers(None, ["127.0.0.1"], NAME) == {"127.0.0.1": (True, "")}
    assert Path("/proc/thread-self/ns/net").stat().st_ino == ours


def test_a_pod_that_has_ended_knows_nothing():
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert pod_network.dns_answers(process.pid, ["127.0.0.1"], NAME) == {}


def test_one_pod_that_gets_an_answer_is_enough(monkeypatch):
    """A policy may keep pods of a user from cluster DNS."""
    answers = {1: (False, "no answer"), 2: (True, ""), 3: (True, "DNS error 5")}
    monkeypatch.setattr(pod_network, "own_networks", lambda: [1, 2, 3, 4])
    monkeypatch.setattr(pod_network, "dns_answers", lambda process, servers, name: {"10.96.0.10": answers[process]})
    (found,) = pod_network.asked_by_pods([], "10.96.0.10", NAME)
    assert found == {"address": "10.96.0.10", "service": True, "from_pod": True, "reached": True, "why": ""}


LINKS = [
    {"ifname": "lo", "flags": ["LOOPBACK", "UP"]},
    {"ifname": "cni0", "flags": ["BROADCAST"]},
    {"ifname": "veth0a1b2c3d", "flags": ["UP"], "master": "cni0"},
    {"ifname": "veth4e5f6a7b", "flags": ["UP"]},
    {"ifname": "vethdocker", "flags": ["UP"]},
]


def test_links_that_are_down_and_ends_of_pods_that_are_in_no_bridge_for_longer_than_a_moment(monkeypatch):
    looks = []

    def listed(*found):
        looks[:] = found
        monkeypatch.setattr(pod_network, "output_of", lambda *command: json.dumps(looks.pop(0)))
        return pod_network.links()

    monkeypatch.setattr(pod_network, "ATTACHED_SECONDS", 0)
    assert listed(LINKS, LINKS) == {"links": {"cni0": False}, "detached": 1}
    assert listed(LINKS, LINKS[:3]) == {"links": {"cni0": False}, "detached": 0}
    assert listed(LINKS[:3]) == {"links": {"cni0": False}, "detached": 0}


def test_routes_into_pods_networks(monkeypatch):
    found = [{"dst": "10.244.1.0/24", "dev": "flannel.1"}, {"dst": "default"}, {"dst": "10.244.9.9"}]
    monkeypatch.setattr(pod_network, "output_of", lambda *command: json.dumps(found))
    assert pod_network.routes_into("10.244.0.0/16") == ["10.244.1.0/24"]


@pytest.mark.parametrize(
    ("written", "found"),
    [("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n", "10.244.1.1/24"), ("FLANNEL_SUBNET=$(x)", "")],
)
def test_what_flannel_wrote(written, found, tmp_path, monkeypatch):
    (tmp_path / "subnet.env").write_text(written)
    monkeypatch.setattr(pod_network, "SUBNET", str(tmp_path / "subnet.env"))
    assert pod_network.subnet() == found


def test_pods_that_get_no_connection_to_an_api_server(in_a_network_of_its_own, monkeypatch):
    """Packets to the host's own address meet other rules than those that it forwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        monkeypatch.setattr(pod_network, "own_networks", lambda: [in_a_network_of_its_own])
        (found,) = pod_network.unreached_by_pods([place])
        assert (found["port"], found["why"]) == (place[1], "Network is unreachable")
        assert pod_network.why_no_connection(place) == ""
        monkeypatch.setattr(pod_network, "own_networks", list)
        assert pod_network.unreached_by_pods([place]) == []


@pytest.mark.parametrize(("status", "why"), [(200, ""), (404, ""), (503, "/livez: HTTP 503")])
def test_a_kube_proxy_that_is_behind(status, why, monkeypatch):
    monkeypatch.setattr(pod_network, "FIRST_SECONDS", 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(pod_network, "PROXY_HEALTH_PORT", server.getsockname()[1])

        def answer():
            with server.accept()[0] as asked:
                asked.recv(1000)
                asked.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

        threading.Thread(target=answer, daemon=True).start()
        assert pod_network.why_proxy_is_stale() == why
    assert pod_network.why_proxy_is_stale() == "", "nobody is there, and its pod says so"
