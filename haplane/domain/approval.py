"""Which requests of kubelets for serving certificates may be approved. Pure.

The invariant: **a certificate is approved for a node's own name and addresses only.** Who has one for another host's
address can be that host to an API server that asks it for logs and shells. A kubelet writes the addresses of its own
Node object, so that object alone proves nothing: what the inventory or another Node claims is not its to have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from haplane.domain.observed import Node, ServingRequest

SIGNER = "kubernetes.io/kubelet-serving"
USER = "system:node:"
GROUP = "system:nodes"
USAGES = frozenset({"digital signature", "key encipherment", "server auth"})


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
    reserved: Collection[str] = (),
) -> str | None:
    """Why this request must not be approved by us, or None.

    ``inventory`` maps its hosts' names to addresses, ``reserved`` are addresses that no node has, as the endpoint's.
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
    asked: Asked, name: str, nodes: tuple[Node, ...], inventory: Mapping[str, str], reserved: Collection[str]
) -> str | None:
    node = next((one for one in nodes if one.name == name), None)
    if node is None:
        return f"there is no Node {name}"
    wanted = {*asked.dns_names, *asked.addresses}
    if not asked.addresses:
        return "it names no address"
    if others := wanted - {name, node.address, *node.addresses}:
        return f"{', '.join(sorted(others))} is not {name}'s"
    taken = {one for other in nodes if other.name != name for one in (other.name, other.address, *other.addresses)}
    taken |= {one for host, address in inventory.items() if host != name for one in (host, address)}
    if stolen := wanted & (taken | set(reserved)):
        return f"{', '.join(sorted(stolen))} belongs to another host"
    if name in inventory and set(asked.addresses) != {inventory[name]}:
        return f"the inventory has {name} at {inventory[name]}"
    return None
