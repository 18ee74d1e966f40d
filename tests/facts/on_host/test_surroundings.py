"""The networks that a host is in, as iproute2 writes them."""

from haplane.facts.on_host import surroundings

ADDRESSES = '[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.1.0.12","prefixlen":24}]}]'
ROUTES = (
    '[{"dst":"default","gateway":"10.1.0.1","dev":"eth0","flags":[]},'
    '{"dst":"10.244.1.0/24","gateway":"10.1.0.11","dev":"eth0","flags":[]},'
    '{"type":"local","dst":"10.1.0.12","dev":"eth0","table":"local","flags":[]}]'
)


def test_a_route_names_its_gateway(monkeypatch):
    monkeypatch.setattr(surroundings, "output_of", lambda *command: ROUTES if "route" in command else ADDRESSES)
    assert surroundings.attached_networks() == [
        {"network": "10.1.0.12/24", "device": "eth0", "gateway": ""},
        {"network": "10.244.1.0/24", "device": "eth0", "gateway": "10.1.0.11"},
    ]
