"""The networks that a host is in, as iproute2 writes them."""

import json

from haplane.facts.on_host import surroundings

ADDRESSES = '[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.1.0.12","prefixlen":24}]}]'
ROUTES = (
    '[{"dst":"default","gateway":"10.1.0.1","dev":"eth0","flags":[]},'
    '{"dst":"10.244.1.0/24","gateway":"10.1.0.11","dev":"eth0","flags":[]},'
    '{"type":"local","dst":"10.1.0.12","dev":"eth0","table":"local","flags":[]}]'
)


WANTED = ["10.244.0.0/16", "10.96.0.0/16"]


def attached(monkeypatch, routes):
    monkeypatch.setattr(surroundings, "output_of", lambda *command: routes if "route" in command else ADDRESSES)
    return surroundings.attached_networks


def test_a_route_names_its_gateway(monkeypatch):
    assert attached(monkeypatch, ROUTES)(["10.0.0.0/8"]) == [
        {"network": "10.1.0.12/24", "device": "eth0", "gateway": ""},
        {"network": "10.244.1.0/24", "device": "eth0", "gateway": "10.1.0.11"},
    ]


def test_no_number_of_routes_hides_one_into_the_clusters_networks(monkeypatch):
    """The first 200 were compared: 220 to 10.1.x.0/24 hid 10.244.8.0/24."""
    routes = [{"dst": f"10.1.{number}.0/24", "dev": "eth1"} for number in range(220)]
    routes += [{"dst": "10.244.8.0/24", "dev": "eth1"}, {"dst": "10.96.0.1", "dev": "eth1"}, {"dst": "10.0.0.0/8"}]
    found = attached(monkeypatch, json.dumps(routes))(WANTED)
    assert [one["network"] for one in found] == ["10.0.0.0/8", "10.244.8.0/24", "10.96.0.1"]
    many = [{"dst": f"10.244.{number // 200}.{number % 200}", "dev": "eth1"} for number in range(3000)]
    assert len(attached(monkeypatch, json.dumps(many))(WANTED)) == surroundings.MOST_NETWORKS
