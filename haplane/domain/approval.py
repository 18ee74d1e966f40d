"""Which requests of kubelets for serving certificates may be approved. Pure.

The invariant: **a certificate is approved for a node's own name and addresses only.** Who has one for another host's
address can be that host to an API server that asks it for logs and shells. A kubelet writes the addresses of its own
Node object, and who has a bootstrap token chooses a Node's name, so that neither proves anything: what the
inventory, another Node or the cluster itself is called is not its to have. Pods trust the CA that signs here, so a
certificate for the API server's own names would be the API server to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from haplane.domain.observed import Node, ServingRequest

SIGNER = "kubernetes.io/kubelet-serving"
USER = "system:node:"
GROUP = "system:nodes"
USAGES = frozenset({"digital signature", "key encipherment", "server auth"})
CLUSTER_NAMES = frozenset({"kubernetes", "kubernetes.default"})
CLUSTER_DOMAINS = ("svc", "localhost")
"""Services are called NAME.NAMESPACE.svc, with the cluster's domain behind that or without."""

NOWHERE = ("127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
"""Addresses that are not one host's."""


@dataclass(frozen=True)
class Reserved:
    """What no node is called: ``names`` and addresses as text, all below ``domains``, and all in ``networks``."""

    names: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def among(self, wanted: Iterable[str]) -> set[str]:
        return {one for one in wanted if self.holds(one)}

    def holds(self, one: str) -> bool:
        """Whether that name or address is reserved. A wildcard is: it stands for names of others."""
        name = as_verified(one)
        try:
            address = ip_address(name)
        except ValueError:
            below = any(f".{name}".endswith(f".{domain}") for domain in (*CLUSTER_DOMAINS, *self.domains))
            return below or "*" in name or name in CLUSTER_NAMES | self.names
        networks = [ip_network(network) for network in (*NOWHERE, *self.networks)]
        return name in self.names or any(address in network for network in networks)


def as_verified(one: str) -> str:
    """A name or an address as clients compare it: without case, a final dot, or IPv6's way to write an IPv4 address.

    Go takes ::ffff:10.0.0.10 in a certificate for 10.0.0.10 (crypto/x509, (*Certificate).VerifyHostname).
    """
    try:
        address = ip_address(one)
    except ValueError:
        return one.lower().rstrip(".")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


@dataclass(frozen=True)
class Asked:
    """What a request asks for. ``others``: names of further kinds, or extensions that nobody needs."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    others: bool = False


def why_not(
    request: ServingRequest,
    asked: Asked,
    nodes: Iterable[Node],
    inventory: Mapping[str, str],
    reserved: Reserved = Reserved(),  # noqa: B008 - frozen
) -> str | None:
    """Why this request must not be approved by us, or None.

    ``inventory`` maps its hosts' names to addresses, ``reserved`` is what the cluster itself has, as the endpoint's.
    """
    name = request.username.removeprefix(USER)
    return _requestor(request, asked, name) or _names(asked, name, tuple(nodes), inventory, reserved)


def _requestor(request: ServingRequest, asked: Asked, name: str) -> str | None:
    if request.signer != SIGNER:
        return f"its signer is {request.signer}"
    if request.username != USER + name or not name or GROUP not in request.groups:
        return f"{request.username} is not a node"
    if asked.common_name != request.username or set(asked.organizations) != {GROUP}:
        return f"it is for {asked.common_name}, not for the requester"
    if not set(request.usages) <= USAGES or "server auth" not in request.usages:
        return f"its usages are {', '.join(request.usages)}"
    return "it requests more than names and addresses" if asked.others else None


def _names(
    asked: Asked, name: str, nodes: tuple[Node, ...], inventory: Mapping[str, str], reserved: Reserved
) -> str | None:
    node = next((one for one in nodes if one.name == name), None)
    if node is None:
        return f"there is no Node {name}"
    wanted = _all_verified(*asked.dns_names, *asked.addresses)
    if not asked.addresses:
        return "it names no address"
    if others := wanted - _all_verified(name, node.address, *node.addresses):
        return f"{', '.join(sorted(others))} is not {name}'s"
    taken = _all_verified(
        *(one for other in nodes if other.name != name for one in (other.name, other.address, *other.addresses)),
        *(one for host, address in inventory.items() if host != name for one in (host, address)),
    )
    for stolen, owner in (wanted & taken, "another host"), (reserved.among(wanted), "the cluster, not to a node"):
        if stolen:
            return f"{', '.join(sorted(stolen))} belongs to {owner}"
    if name in inventory and _all_verified(*asked.addresses) != {inventory[name]}:
        return f"the inventory has {name} at {inventory[name]}"
    return None


def _all_verified(*several: str) -> set[str]:
    return set(map(as_verified, several))
