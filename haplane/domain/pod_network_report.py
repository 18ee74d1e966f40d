"""How a node's pods are connected, as its host reports it: the shape of ``facts/on_host/pod_network.py``."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, Field

from haplane.domain.host_condition import Name
from haplane.domain.reported import Count, Number, Observed, ShortText

NETWORK = r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}"


def _as_network(text: str) -> str:
    """As Python writes it; "" for what is none of IPv4."""
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        return ""


NodeNetwork = Annotated[str, Field(max_length=64), AfterValidator(_as_network)]
"""What a Node's pods get addresses from, "" where that is not known."""
Address = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")]


class DnsAnswer(Observed):
    """What the server at an address answered to this host, or ``from_pod`` to the luckiest of some pods on it.

    ``service``: the address is cluster DNS' service's, not a pod's. ``reached``: something was there;
    ``why``: it gave no address for a name that it knows by itself, "" when it did.
    """

    address: Address
    service: bool
    from_pod: bool
    reached: bool
    why: ShortText = ""


class Unreached(Observed):
    """Where no pod of this node that was tried gets a connection, and why."""

    address: Address
    port: Count
    why: ShortText


class PodNetwork(Observed):
    """Empty for a host that is no node.

    ``subnet``: its bridge's address with a prefix, as flannel wrote it at ``subnet_since`` (seconds since the epoch).
    ``links``: whether those that there are of the bridge and the tunnel are up; ``detached``: how many pods' ends are
    in no bridge. ``routes``: networks of nodes that there is a route to. ``unreached``: of the service kubernetes and
    the API servers, where pods get no connection. ``proxy``: what kube-proxy answers where it is behind.
    """

    subnet: Annotated[str, Field(pattern=f"^({NETWORK})?$")] = ""
    subnet_since: Number = 0
    links: dict[Name, bool] = Field(default_factory=dict)
    detached: Count = 0
    routes: Annotated[tuple[Annotated[str, Field(pattern=f"^{NETWORK}$")], ...], Field(max_length=5000)] = ()
    dns: Annotated[tuple[DnsAnswer, ...], Field(max_length=20)] = ()
    unreached: Annotated[tuple[Unreached, ...], Field(max_length=20)] = ()
    proxy: ShortText = ""
