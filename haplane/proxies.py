"""Which addresses NO_PROXY leaves to us, as curl and programs in Go read it."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def is_exempt(url: str) -> bool:
    """Whether no proxy of the environment is used: by its name, or an address in one of NO_PROXY's networks."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return True
    try:
        address = ip_address(parts.hostname or "")
    except ValueError:
        return False
    return any(_contains(one, address) for one in re.split(r"[,\s]+", getproxies().get("no", "")))


def _contains(network: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False
