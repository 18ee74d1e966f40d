"""The kernel itself filters by the rules: in a network namespace of its own, adverts go over the loopback."""

import os
import shutil
import subprocess
import sys

import pytest
import samples

from haplane.desired.balancers import keepalived_files

TOOLS = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in ("nft", "unshare", "ip")]
SENDERS = """
import socket, struct
received = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
received.settimeout(0.3)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for source, ttl in (("127.0.0.2", 255), ("127.0.0.3", 255), ("127.0.0.2", 254)):
    ends = map(socket.inet_aton, (source, "127.0.0.1"))
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, ttl, 112, 0, *ends)
    raw.sendto(header + bytes(20), ("127.0.0.1", 0))
    try:
        received.recv(100)
        print(source, ttl, "taken")
    except TimeoutError:
        print(source, ttl, "dropped")
"""


def rules(balancers, interface):
    inventory = samples.inventory(balancers=balancers)
    host = inventory.load_balancers[0]
    [text] = [
        file.content.decode()
        for file in keepalived_files(inventory, host, interface)
        if file.path == "/etc/haplane/vrrp.nft"
    ]
    for number, one in enumerate(inventory.load_balancers, start=1):
        text = text.replace(str(one.address), f"127.0.0.{number}")
    return text


@pytest.mark.skipif(os.geteuid() != 0 or None in TOOLS, reason="needs root, nft, unshare and ip")
@pytest.mark.parametrize(
    ("balancers", "interface", "peers_are"),
    [(2, "lo", "taken"), (2, "eth9", "dropped"), (1, "lo", "dropped")],
    ids=["a peer", "a peer's address on another interface", "no peers"],
)
def test_only_what_a_peer_sends_and_no_router_forwarded_is_taken(tmp_path, balancers, interface, peers_are):
    (tmp_path / "rules").write_text(rules(balancers, interface))
    (tmp_path / "users").write_text("table ip haplane_neighbour { chain input { tcp dport 22 accept; }; }\n")
    script = f"""
ip link set lo up
nft -f {tmp_path}/users
nft -f {tmp_path}/rules
nft -f {tmp_path}/rules
{sys.executable} -I -c '{SENDERS}'
nft list ruleset | grep -c haplane_
nft delete table ip haplane_vrrp
nft list ruleset | grep -c haplane_
"""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"127.0.0.2 255 {peers_are}",
        "127.0.0.3 255 dropped",
        "127.0.0.2 254 dropped",
        "2",
        "1",
    ]
