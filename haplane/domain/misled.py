"""Names that ssh takes to another host of the inventory than is meant. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from haplane.domain.observed import HostReport


def misled(addresses: Mapping[str, str], reports: Mapping[str, HostReport]) -> dict[str, str]:
    """By name the host that is reached in its place: it has that one's address, and not its own.

    ``addresses`` are the inventory's, by name.
    """
    owners = {address: name for name, address in addresses.items()}
    found: dict[str, str] = {}
    for name, own in addresses.items():
        report = reports.get(name)
        if report is None or not report.is_without(own):
            continue
        held = [owners[one] for each in report.addresses.values() for one in each if one in owners]
        found |= {name: held[0]} if held else {}
    return found
