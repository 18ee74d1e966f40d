"""Adverts of a host that is no load balancer do not take the endpoint's address away, however many there are."""

import json
import threading

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.soak]

SECONDS = 4
ADVERT = """
import socket, struct, sys, time
source, target, ttl, endpoint, router = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
address = socket.inet_aton

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def vrrp(summed):
    return struct.pack("!BBBBHH", 0x31, router, 255, 1, 30, summed) + address(endpoint)

pseudo = address(source) + address(target) + struct.pack("!BBH", 0, 112, len(vrrp(0)))
advert = vrrp(checksum(pseudo + vrrp(0)))
header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(advert), 1, 0, ttl, 112, 0) + address(source) + address(target)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
end = time.monotonic() + float(sys.argv[6])
while time.monotonic() < end:
    raw.sendto(header + advert, (target, 0))
    time.sleep(0.05)
"""
"""Priority 255, the highest there is. The addresses are the sender's to choose."""


def holders(lab, balancers):
    endpoint = f" {lab.inventory.cluster.endpoint.address}/"
    return [name for name in balancers if endpoint in lab.host(name).check_output("ip -4 -o address")]


@pytest.mark.parametrize("sender", ["a stranger", "a peer behind a router"])
def test_a_strangers_advert_takes_nothing(lab, sender):
    """The worker sends, once under its own address, once under the other load balancer's with a router's TTL."""
    cluster = lab.inventory.cluster
    balancers = {host.name: str(host.address) for host in lab.inventory.load_balancers}
    [holder] = holders(lab, balancers)
    [other] = set(balancers) - {holder}
    own = str(cluster.lab.extra_hosts["w1"])
    source, ttl = (own, 255) if sender == "a stranger" else (balancers[other], 63)
    words = (source, balancers[holder], ttl, cluster.endpoint.address, cluster.keepalived.router_id, SECONDS)
    script = f"python3 - {' '.join(map(str, words))} <<'END'\n{ADVERT}\nEND"
    sent = []
    sending = threading.Thread(target=lambda: sent.append(lab.host("w1").run("sh -c %s", script)))
    sending.start()
    seen = []
    while sending.is_alive():
        seen.append(holders(lab, balancers))
    sending.join()
    assert sent[0].rc == 0, sent[0].stderr
    assert len(seen) > 3
    assert seen == [[holder]] * len(seen)


def test_a_ruleset_that_was_flushed_is_named_and_loaded_again(lab):
    lab.run("lb1", "nft add table ip somebodys; nft flush ruleset")
    found = lab.status()["problems"]
    assert any(line.startswith("lb1: VRRP adverts") and f"`haplane up {lab.path}`" in line for line in found), found
    plan = json.loads(lab.haplane("up", lab.path, "--yes", "--json"))["plan"]
    assert plan == ["lb1: start the load balancer (haplane-vrrp: its nftables table was removed)"]
    assert lab.run("lb1", "nft list table ip haplane_vrrp").returncode == 0
    lab.run("lb1", "systemctl restart nftables")
    assert lab.run("lb1", "nft list table ip haplane_vrrp").returncode == 0
    lab.run("lb1", "systemctl stop nftables; systemctl start haplane-vrrp")
