"""The networks of this machine."""

from __future__ import annotations

from ipaddress import IPv4Network

from haplane.lab.network import machine_networks


def test_networks_of_this_machine() -> None:
    printed = (
        '[{"ifindex":1,"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},{},'
        '{"ifname":"eth0","addr_info":[{"local":"192.0.2.2","prefixlen":24},{}]}]'
    ).replace(",{},", ",")
    assert machine_networks(printed) == [
        ("lo", IPv4Network("127.0.0.0/8")),
        ("eth0", IPv4Network("192.0.2.0/24")),
    ]
