"""haproxy and keepalived of a host, as the host reports them."""

from __future__ import annotations

from typing import Literal

from haplane.domain.host_condition import Usage
from haplane.domain.names import ProgramName, ServerName
from haplane.domain.reported import Observed, ShortText, Text

APISERVERS, ETCD = "apiservers", "etcd"
"""haplane's backends in haproxy: the endpoint's, and a master's whose etcd is on other hosts."""


class Server(Observed):
    """One line of haproxy's ``show stat``."""

    backend: ServerName
    name: ServerName
    status: str

    @property
    def is_up(self) -> bool:
        """Whether it gets connections; ``UP 1/3`` is on its way down and still does."""
        return self.status.startswith("UP")


class OtherSections(Observed):
    """What one file has that is not haplane's."""

    program: Literal["haproxy", "keepalived"]
    path: ShortText
    sections: tuple[ShortText, ...]


class Balancer(Observed):
    """``endpoint_answers``: somebody else answers pings at the floating address.

    ``endpoint_unknown``: why that is not known, "" where it is; ``endpoint_lacks``: the program that it takes, "" for
    another reason.
    ``endpoint_ready``: an API server behind the endpoint tells this host that it is ready. ``endpoint_unreached``:
    why no connection to it can be made from here. ``adverts_filtered``: the packet filter for VRRP is loaded; None
    where there is none to load. ``accepts``: haproxy takes connections to the endpoint's port; None where it is none
    of its. ``vrrp``: keepalived's last state. ``clients``: how many connections it has there and may have.

    From the files of haproxy and keepalived: ``other_sections`` are not haplane's, ``balanced`` the masters'
    addresses, ``addresses`` those that keepalived holds.
    """

    holds_endpoint: bool
    endpoint_answers: bool
    endpoint_unknown: ShortText = ""
    endpoint_lacks: ProgramName | Literal[""] = ""
    endpoint_ready: bool = False
    endpoint_unreached: Text = ""
    adverts_filtered: bool | None = None
    accepts: bool | None = None
    servers: tuple[Server, ...] | None
    clients: Usage = ()
    vrrp: Literal["", "BACKUP", "FAULT", "MASTER"] = ""
    other_sections: tuple[OtherSections, ...] = ()
    balanced: tuple[ShortText, ...] = ()
    addresses: tuple[ShortText, ...] = ()
