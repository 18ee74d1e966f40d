"""An inventory between the checks of single values and those of several. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from haplane.config.model import Cluster, Host


@dataclass(frozen=True)
class Draft:
    """An inventory whose single values were checked, of which some may be wrong.

    ``names`` are the host names of each group as written, ``hosts`` those among them that are valid. ``wrong`` names
    the settings of ``cluster`` and the groups in which something wrong was found already; in ``cluster`` they have
    their default.
    """

    cluster: Cluster
    names: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, tuple[Host, ...]]
    wrong: frozenset[str] = frozenset()

    @property
    def distinct_hosts(self) -> tuple[Host, ...]:
        """Every valid host once."""
        return tuple({host.name: host for hosts in self.hosts.values() for host in hosts}.values())

    @property
    def balancers(self) -> tuple[str, ...]:
        """The names of the hosts that would run haproxy."""
        return () if self.cluster.endpoint_is_external else self.names["load_balancers"] or self.names["masters"]


def label(draft: Draft, host: Host) -> str:
    """GROUP: NAME, of the first group that has the host."""
    return f"{next(group for group, hosts in draft.hosts.items() if host in hosts)}: {host.name}"


def as_address(text: str) -> IPv4Address | None:
    """The address that a text is, if it is one."""
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def floating_address(draft: Draft) -> IPv4Address | None:
    """The endpoint's, where it is an address and not wrong."""
    return None if "endpoint" in draft.wrong else as_address(draft.cluster.endpoint.address)
