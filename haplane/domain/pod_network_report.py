"""How a node's pods are connected, as its host reports it: the shape of ``facts/on_host/pod_network.py``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from haplane.domain.host_condition import Word
from haplane.domain.reported import Observed

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
    why: Word = ""


class PodNetwork(Observed):
    """Empty for a host that is no node."""

    dns: Annotated[tuple[DnsAnswer, ...], Field(max_length=20)] = ()
